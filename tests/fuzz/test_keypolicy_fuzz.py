# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path

import pytest

TARGET = Path(__file__).with_name("keypolicy_target.py")
SEED = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Deny","Principal":{"AWS":"*"},"Action":["kms:Decrypt"],'
    '"Resource":"*","Condition":{"ForAnyValue:StringLikeIfExists":{"kms:EncryptionContextKeys":["a*","b?"]},'
    '"Null":{"aws:SourceVpce":true},"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}}]}'
)


@pytest.mark.slow
def test_the_policy_parser_lets_only_format_errors_out(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "seed.json").write_text(SEED)
    command = [
        sys.executable,
        str(TARGET),
        "-runs=40000",
        "-max_total_time=30",
        "-max_len=1024",
        "-seed=7",
        str(corpus),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
    assert len(list(corpus.iterdir())) > 1
