# SPDX-License-Identifier: Apache-2.0
"""A twin with a state file, for others to upload to and to kill: `python -m tests.ebs_victim STATE`.

It prints its endpoint, once, and then serves until it is killed.
"""

import sys
import threading
from pathlib import Path

from strongroom.twin.accounts_file import read_accounts
from strongroom.twin.server import Twin

KEY_ID, SECRET = "AKIAEXAMPLEUPLOADER0", "not a secret"
ACCOUNTS = f"""
[[account]]
id = "111111111111"

[[account.user]]
name = "uploader"
access_key_id = "{KEY_ID}"
secret_access_key = "{SECRET}"
policies = ['''{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "*", "Resource": "*"}}]}}''']
"""


def main(state: str) -> None:
    with Twin(state=Path(state), directory=read_accounts(ACCOUNTS.encode())) as twin:
        print(twin.endpoint_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
