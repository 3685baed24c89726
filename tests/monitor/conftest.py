"""The tests of metrics and health need the library that they are about."""

import pytest

pytest.importorskip("prometheus_client", reason='pip install "liveclf[metrics]"')
