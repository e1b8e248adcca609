# SPDX-License-Identifier: Apache-2.0
"""What each code of `strongroom verify` means, and what to do about it: the rules of its SARIF logs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strongroom.cli.sarif import RuleText

_MOVED = (
    "Something else booted than what was measured, or it was measured from another image. Run `strongroom explain` "
    "with the measurements and the document to learn which component moved, and `strongroom inspect` to see each PCR."
)
_REPLAY = "The document may be a copy. Challenge the machine with a fresh random nonce and verify what it answers."
_RELAY = "The document was not made for this conversation: another machine's may have been passed on. Do not use it."
_PIN_ALL = "Pin PCR 2, 4, 12 and 13 in every alternative (docs/formats/appraisal-policy.md says what each stops)."

MALFORMED = RuleText(
    "The document is malformed",
    "It is no attestation document as AWS writes them. Look at how it was fetched and stored; `strongroom inspect` "
    "says what the file looks like.",
)
NOT_AUTHENTIC = RuleText(
    "The document is not authentic",
    "A signature, a certificate path or a certificate's time does not hold: nobody trusted vouches for it. "
    "Certificates of instances live for hours; an archived document is judged with `--at document`.",
)

TEXTS: Mapping[str, RuleText] = MappingProxyType(
    {
        "age.in-the-future": RuleText(
            "The document's timestamp lies in the future", "Compare this machine's clock with a trusted one."
        ),
        "age.too-old": RuleText(
            "The document is too old",
            "Ask the machine for a new document, with a fresh nonce: an old one may be a copy. To look at this one: "
            "`--max-age`, or `--at document`.",
        ),
        "console.later-damage": RuleText(
            "A later receipt on the console cannot be read",
            "Save the console again: what was verified may be of an earlier boot than the last.",
        ),
        "console.later-receipt": RuleText(
            "An earlier receipt on the console says that it is younger than the last",
            "Look at both with `strongroom inspect`: whoever controls a machine can print an older receipt again.",
        ),
        "console.other-instance": RuleText(
            "The receipt is of another instance than the one whose console it is",
            "Do not use it. Save the console again; if the receipt is still there, find out what printed it.",
        ),
        "console.other-key": RuleText(
            "The receipt carries another key than receipts do",
            "Receipts carry an EC key. Find out what printed this one.",
        ),
        "console.unchallenged": RuleText("The document is a receipt: nobody challenged the machine", _REPLAY),
        "console.whose": RuleText(
            "It is not known whose console it is",
            "Save the console with `aws ec2 get-console-output`, whose JSON names the instance.",
        ),
        "deny-list.unsigned": RuleText(
            "The deny list is not signed",
            "Keep the file where only those can write it who may decide what is refused.",
        ),
        "instance.mismatch": RuleText(
            "The document is of another instance than the policy accepts",
            "Add the instance to the policy, or find out why this one answered.",
        ),
        "measurements.assumed": RuleText(
            "A reference value was not given and was taken as its constant",
            "Measure the image with `strongroom measure`, which writes every gate.",
        ),
        "nonce.absent": RuleText("The document carries no nonce", _REPLAY),
        "nonce.mismatch": RuleText("The document carries another nonce", _REPLAY),
        "pcr.absent": RuleText(
            "A PCR that the policy compares is not in the document",
            "Documents of NitroTPM carry PCR 0 to 23: one without is not of a machine that this policy is for.",
        ),
        "pcr.mismatch": RuleText("A PCR has another value than the policy accepts", _MOVED),
        "pcr.unmeasured": RuleText(
            "A PCR that every boot measures into is all zeros",
            "Nothing was measured: the machine did not boot through UEFI (legacy-bios), or runs in debug mode. Do not "
            "trust it.",
        ),
        "policy.constants-only": RuleText("The policy pins only what every instance shows", _PIN_ALL),
        "policy.partial": RuleText("The policy does not pin the whole gate set", _PIN_ALL),
        "policy.pcr7-without-pcr4": RuleText(
            "The policy pins PCR 7 without PCR 4",
            "Pin PCR 4: PCR 7 names keys, and every image that they ever signed has the same value.",
        ),
        "policy.resettable": RuleText(
            "The policy has a rule on a PCR that software can set", "Remove the rules on PCR 16 and 23."
        ),
        "policy.secure-boot-off": RuleText(
            "The policy accepts the PCR 7 of machines with Secure Boot off",
            "That value says nothing about what booted. Remove the rule, or pin the value of an image that is signed.",
        ),
        "public-key.absent": RuleText("The document carries no public key", _RELAY),
        "public-key.mismatch": RuleText("The document carries another public key", _RELAY),
        "region.mismatch": RuleText(
            "The instance runs in another region than the policy accepts",
            "Add the region to the policy, or find out why the image runs there.",
        ),
        "user-data.absent": RuleText("The document carries no user data", _RELAY),
        "user-data.mismatch": RuleText("The document carries other user data", _RELAY),
        "verify.authentic-only": RuleText(
            "The document was not compared with anything",
            "Give a policy (--policy, --measurements or --pcr) and a nonce to learn whether to trust the machine.",
        ),
        "verify.unchallenged": RuleText("No nonce was compared", _REPLAY),
    }
)
