"""Plans how the weights of one network become those of another: which are copied, renamed, adapted, fresh or dropped.

A plan is made from the two graphs alone; `cnngraph/backend/weights/migrate.py` carries it out and measures it.
"""

from cnngraph.migration.plan import KINDS, Claim, Dropped, Plan, TensorPlan, nothing_kept
from cnngraph.migration.planner import INPUT_CHANNELS, Options, plan

__all__ = ["INPUT_CHANNELS", "KINDS", "Claim", "Dropped", "Options", "Plan", "TensorPlan", "nothing_kept", "plan"]
