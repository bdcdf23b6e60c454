"""Something that is done once, when it is first needed or when there is time for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class Once(Generic[Result]):
    """A deed, its result or its error. An error waits for who asks for the result."""

    def __init__(self, do: Callable[[], Result]) -> None:
        self._do = do
        self._result: list[Result] = []
        self._error: Exception | None = None

    def failed(self) -> bool:
        """Do it, unless it is done; whether it failed."""
        if not self._result and self._error is None:
            try:
                self._result.append(self._do())
            except Exception as error:  # noqa: BLE001 - raised by `result`
                self._error = error
        return self._error is not None

    def result(self) -> Result:
        """Do it, unless it is done, and give what came of it.

        Raises:
            Exception: whatever it raised.

        """
        if self.failed() and self._error is not None:
            raise self._error
        return self._result[0]
