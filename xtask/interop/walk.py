"""Walks of named steps. Every step prints one line; a walk ends at its first step that fails, because the
later ones build on it."""

import os

# Where one failure says enough, what would follow it is left out.
UNTIL_FAILURE = os.environ.get("RC_INTEROP_UNTIL_FAILURE") == "1"


class StepFailed(Exception):
    pass


def check(holds, otherwise):
    if not holds:
        raise AssertionError(otherwise)


class Walks:
    def __init__(self):
        self._walks = []
        self._failed = False

    def walk(self, name):
        def add(steps):
            self._walks.append((name, steps))
            return steps

        return add

    def run(self):
        """All walks; the exit code."""
        for name, steps in self._walks:
            if UNTIL_FAILURE and self._failed:
                break
            try:
                steps(lambda step, run, name=name: self._perform(f"{name}: {step}", run))
            except StepFailed:
                continue
            except Exception as error:
                self._report(f"{name}: between two steps", error)
        return 1 if self._failed else 0

    def _perform(self, name, run):
        try:
            value = run()
        except Exception as error:
            self._report(name, error)
            raise StepFailed from error
        print(f"ok - {name}", flush=True)
        return value

    def _report(self, name, error):
        self._failed = True
        sentence = " ".join(f"{type(error).__name__} {error}".split())[:160]
        print(f"not ok - {name}: {sentence}", flush=True)
