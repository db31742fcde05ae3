"""On-slide control tissue: given by the user, or found by what sets it apart."""

from lowpower.tissue.control._choose import Choice, choose_control, on_grid
from lowpower.tissue.control._clusters import Layout, lay_out
from lowpower.tissue.control._control_given import control_name, is_control_word, wrong_control
from lowpower.tissue.control._habit import ControlHabit, control_habit
from lowpower.tissue.control._pieces_apart import groups_of
from lowpower.tissue.control._signs import signs_of

__all__ = [
    "Choice",
    "ControlHabit",
    "Layout",
    "choose_control",
    "control_habit",
    "control_name",
    "groups_of",
    "is_control_word",
    "lay_out",
    "on_grid",
    "signs_of",
    "wrong_control",
]
