# SPDX-License-Identifier: Apache-2.0
"""A KMS with a state file that changes something without end, to be killed: `python -m tests.kms_victim STATE SEED`.

It prints one JSON line before each call and one after it; whatever has its second line must be kept.
"""

import json
import random
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from tests.kms_calls import VENDOR, Caller, Cloud

from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.kms.keeper import StateKeeper
from strongroom.twin.state_file import StateFile


def say(**members) -> None:
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def keys_of(caller: Caller) -> list[str]:
    return [each["KeyArn"] for each in caller("ListKeys", Limit=1000)["Keys"]]


def next_call(caller: Caller, choice: random.Random, number: int) -> tuple[str, dict[str, Any]]:
    """Choose a call that will be answered."""
    keys = keys_of(caller)
    if len(keys) < 3 or choice.random() < 0.1:
        return "CreateKey", {"Description": str(number)}
    key = choice.choice(keys)
    calls: dict[str, dict[str, Any]] = {
        "TagResource": {"KeyId": key, "Tags": [{"TagKey": str(choice.randrange(20)), "TagValue": str(number)}]},
        "UpdateKeyDescription": {"KeyId": key, "Description": str(number)},
        "CreateAlias": {"TargetKeyId": key, "AliasName": f"alias/{number}"},
        "CreateGrant": {"KeyId": key, "GranteePrincipal": VENDOR, "Operations": ["Decrypt"], "Name": str(number)},
        "Encrypt": {"KeyId": key, "Plaintext": str(number).encode()},
        "EnableKeyRotation": {"KeyId": key, "RotationPeriodInDays": choice.randrange(90, 2560)},
        "DisableKey": {"KeyId": key},
        "EnableKey": {"KeyId": key},
    }
    aliases = [each["AliasName"] for each in caller("ListAliases")["Aliases"]]
    if aliases:
        calls["DeleteAlias"] = {"AliasName": choice.choice(aliases)}
    if caller("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled":
        return "EnableKey", calls["EnableKey"]
    name = choice.choice(sorted(calls))
    return name, calls[name]


def shown(members: dict[str, Any]) -> dict[str, Any]:
    return {name: b64encode(each).decode() if isinstance(each, bytes) else each for name, each in members.items()}


def main(state: str, seed: str) -> None:
    choice = random.Random(int(seed))
    with StateFile(Path(state)) as file:
        caller = Cloud(StateKeeper(file)).user(VENDOR, "release", FULL_ACCESS)
        for number in range(1_000_000):
            name, parameters = next_call(caller, choice, choice.randrange(1 << 40))
            say(call=name, parameters=shown(parameters))
            reply = caller(name, **parameters)
            told = {key: each for key, each in shown(reply).items() if isinstance(each, str)}
            say(
                answered=number, reply={**told, **({"Arn": reply["KeyMetadata"]["Arn"]} if name == "CreateKey" else {})}
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
