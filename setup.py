"""What pyproject.toml cannot say: what is compiled.

`protocol/native.pyx`, the codec, wherever there is a compiler. The modules of `compiling/hot_modules.py` where that is asked
for, `TENSEC_COMPILE=1`, and in wheels unless it is 0: beside sources that are worked on they would hide what is changed there.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from compiling.build import MANIFEST, TARGET, extensions  # noqa: E402 - setuptools does not look here by itself
from compiling.hot_modules import HOT  # noqa: E402

BY_HAND = [
    Extension(name, [f"{name.replace('.', '/')}.pyx"], optional=True) for name in ("protocol.native", "gateway.store.native")
]
ASKED = os.environ.get("TENSEC_COMPILE", "1" if "bdist_wheel" in sys.argv else "0") == "1"


class AllOrNone(build_ext):
    """A module that is compiled needs all the others to be: they know each other's objects from inside."""

    def build_extensions(self) -> None:
        codec = [one for one in self.extensions if one.name not in HOT]
        hot = [one for one in self.extensions if one.name in HOT]
        self.extensions = codec
        super().build_extensions()
        self.extensions = hot
        try:
            super().build_extensions()
        except Exception as error:
            if "TENSEC_COMPILE" in os.environ:
                raise
            for one in hot:
                Path(self.get_ext_fullpath(one.name)).unlink(missing_ok=True)
            self.extensions = []
            print(f"the modules on the messages' path stay in Python: {error}", file=sys.stderr)
        self.extensions = codec + self.extensions

    def run(self) -> None:
        built = Path(self.build_lib)
        for left in (*built.rglob("*.so"), built / MANIFEST):  # of an earlier build, of other sources perhaps
            left.unlink(missing_ok=True)
        super().run()
        if any(one.name in HOT for one in self.extensions):
            place = (ROOT if self.inplace else Path(self.build_lib)) / MANIFEST
            self.copy_file(str(ROOT / TARGET / MANIFEST), str(place))


setup(
    ext_modules=[*BY_HAND, *(extensions(ROOT) if ASKED else [])],
    cmdclass={"build_ext": AllOrNone},
)
