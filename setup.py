"""What pyproject.toml cannot say: which module is compiled. Where that fails, protocol/fast.py does the same in Python."""

from setuptools import Extension, setup

setup(ext_modules=[Extension("protocol.native", ["protocol/native.pyx"], optional=True)])
