"""What a team states about its practice: contacts, working hours, refusals, the hand-over, the lead base."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Spec(BaseModel):
    """A frozen statement that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | Mapping) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Days = Annotated[int, Field(ge=1)]


class Contact(Spec):
    """When a contact counts as effective, and when an attempt as a conversation."""

    follow_up_days: Days = 7
    conversation_s: Annotated[float, Field(gt=0)] = 60


class Work(Spec):
    """When the team works: the clock of speed, and the days of a plan."""

    days: Annotated[tuple[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], ...], Field(min_length=1)] = (
        "Mon",
        "Tue",
        "Wed",
        "Thu",
        "Fri",
    )
    start: time = time(9)
    end: time = time(18)
    holidays: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"start must lie before end, got {self.start:%H:%M} and {self.end:%H:%M}")
        return self


class Refusals(Spec):
    """What reasons of refusal mean: their category, which of them are listed for a second look, when to try again."""

    categories: dict[str, str] = {}
    excuses: Texts = ()
    gaps: dict[str, dict[str, Texts]] = {}
    retry_days: tuple[Days, Days] = (60, 90)
    retry_days_of: dict[str, tuple[Days, Days]] = {}
    final: Texts = ()


class Loop(Spec):
    """What marketing and sales agreed about a lead handed over."""

    handed_over: str = ""
    marketing: Texts = ()
    idle_days: Days = 14
    idle_days_at: dict[str, Days] = {}
    wrongly_qualified: Texts = ()
    needs: dict[str, Texts] = {}
    nurtured: str = ""


class LeadBase(Spec):
    """Which columns or attributes of leads say whose lead it is, whom not to call, how promising it looked."""

    company: str = ""
    blacklisted: str = ""
    score: str = ""
