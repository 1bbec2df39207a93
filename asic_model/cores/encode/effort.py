"""What each effort spends, by slice type: the settings of mode decision and of the searches.

Margins and weights were measured on natural clips (docs/mode_decision.md).
"""

from typing import NamedTuple

from asic_model.cores.encode.job import (
    EFFORT_FAST,
    EFFORT_MEDIUM,
    EFFORT_SLOW,
    SLICE_B,
    SLICE_I,
    SLICE_P,
    EncodeJob,
)
from asic_model.descriptors import Tool
from asic_model.engines.lagrangian import MOTION_LAMBDA
from asic_model.engines.mode_decision.state import Settings
from asic_model.engines.motion_search import MotionSearchConfig, SearchSettings

ALWAYS = 1 << 20  # a margin

_EFFORTS = {
    EFFORT_FAST: Settings(
        partitions=0,
        shape_margin=17,
        inter_margin=16,
        intra_margin=24,
        intra_trial_margin=24,
        skip_sad=20,
        early_skip=1,
        skip_energy=100,
        weight_inter=16,
        weight_intra=8,
        mode_lambda=14,
        zero_energy=20,
        both_transforms=0,
        sub_partitions=0,
    ),
    EFFORT_MEDIUM: Settings(
        partitions=7,
        shape_margin=20,
        inter_margin=18,
        intra_margin=48,
        intra_trial_margin=ALWAYS,
        skip_sad=16,
        early_skip=1,
        skip_energy=64,
        weight_inter=16,
        weight_intra=8,
        mode_lambda=14,
        zero_energy=10,
        both_transforms=1,
        sub_partitions=0,
    ),
    EFFORT_SLOW: Settings(
        partitions=7,
        shape_margin=32,
        inter_margin=24,
        intra_margin=48,
        intra_trial_margin=ALWAYS,
        skip_sad=0,
        early_skip=0,
        skip_energy=0,
        weight_inter=15,
        weight_intra=8,
        mode_lambda=14,
        zero_energy=5,
        both_transforms=1,
        sub_partitions=1,
    ),
}
# What differs in B slices
_EFFORTS_B = {
    EFFORT_FAST: _EFFORTS[EFFORT_FAST]._replace(intra_margin=16),
    EFFORT_MEDIUM: _EFFORTS[EFFORT_MEDIUM]._replace(intra_margin=24),
    EFFORT_SLOW: _EFFORTS[EFFORT_SLOW]._replace(early_skip=1, skip_energy=24),
}


SINGLE_PASS_P = Tool.TRIALS | Tool.SHAPES  # of a P picture's `tools_off`


class _Search(NamedTuple):
    """What an effort makes of the configured motion search."""

    more_centres: int
    radius_most: int  # of squares around centres [samples]
    quadrants: bool  # squares around the quadrants' best places
    enough: int  # a predictor of this cost or less ends the search, in units of lambda; 0: none does


_SEARCHES = {
    EFFORT_FAST: _Search(-1, 1, False, 6),
    EFFORT_MEDIUM: _Search(0, 4, True, 0),
    EFFORT_SLOW: _Search(2, 4, True, 0),
}
# In B slices a second list is searched, and the co-located motion says more
_SEARCHES_B = _SEARCHES | {EFFORT_MEDIUM: _Search(-1, 4, False, 0)}


def single_pass(job: EncodeJob) -> bool:
    """Whether the job's macroblocks are decided without trials (`mode_decision/single_pass.py`): I pictures where
    these are left out, P pictures of one reference where what it does not choose is left out too."""
    if job.slice_type == SLICE_P:
        return job.ref_count == 1 and job.tools_off & SINGLE_PASS_P == SINGLE_PASS_P
    return job.slice_type == SLICE_I and bool(job.tools_off & Tool.TRIALS)


def decision_settings(job: EncodeJob) -> Settings:
    """What mode decision spends on the job's picture."""
    settings = (_EFFORTS_B if job.slice_type == SLICE_B else _EFFORTS)[job.effort]
    if job.tools_off & Tool.SHAPES:
        settings = settings._replace(partitions=0)
    if job.tools_off & Tool.BOTH_TRANSFORMS:
        settings = settings._replace(both_transforms=0)
    if job.tools_off & Tool.SUB_PARTITIONS:
        settings = settings._replace(sub_partitions=0)
    if job.tools_off & Tool.EARLY_SKIP:
        settings = settings._replace(skip_sad=0, early_skip=0, skip_energy=0)
    if job.tools_off & Tool.RDO_QUANTISATION:
        settings = settings._replace(dead_zone_inter=43, dead_zone_intra=85)
    if single_pass(job):
        settings = settings._replace(single_pass=1, zero_energy=0, dead_zone_inter=-6, dead_zone_intra=-3)
    # What rounds a level up, 1/256 step: half a step less 1/64 for each unit of dead zone.
    if job.dead_zone_inter:
        settings = settings._replace(dead_zone_inter=4 * (33 - job.dead_zone_inter))
    if job.dead_zone_intra:
        settings = settings._replace(dead_zone_intra=4 * (33 - job.dead_zone_intra))
    return settings._replace(tools_off=job.tools_off)


def search_settings(cfg: MotionSearchConfig, job: EncodeJob) -> tuple[SearchSettings, SearchSettings]:
    """What the searches spend on it: in the first reference of a list, and in each of the others.

    Where the first pass searched already, effort fast and medium do not search at 1/4 resolution again.
    """
    effort = (_SEARCHES_B if job.slice_type == SLICE_B else _SEARCHES)[job.effort]
    if single_pass(job):
        effort = _SEARCHES[EFFORT_MEDIUM]
    known = job.vectors_address != 0 and job.effort != EFFORT_SLOW
    no_coarse = known or job.tools_off & Tool.COARSE_SEARCH
    first = SearchSettings(
        range_x=cfg.range_x,
        range_y=cfg.range_y,
        centres=0 if no_coarse else max(1, cfg.centres + effort.more_centres),
        radius=min(cfg.radius, effort.radius_most),
        radius_parts=cfg.radius_parts if effort.quadrants else 0,
        temporal=int(job.motion_in_address != 0 or job.vectors_address != 0),
        lambda_motion=int(MOTION_LAMBDA[job.qp]),
    )
    if cfg.ends_early and effort.enough and not job.tools_off & Tool.EARLY_SKIP:
        first = first._replace(enough=effort.enough * first.lambda_motion)
    return first, first._replace(centres=0, temporal=1)
