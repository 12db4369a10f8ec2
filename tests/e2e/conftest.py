from fixtures import other_scripted, scripted, start, start_module  # noqa: F401 - fixtures
