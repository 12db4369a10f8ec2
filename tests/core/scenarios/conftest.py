"""What scenarios share says which of its assertions failed."""

import pytest

pytest.register_assert_rewrite("carrier", "world")
