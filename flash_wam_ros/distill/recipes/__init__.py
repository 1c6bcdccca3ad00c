"""Recipes by name, with the paper's values or those of the published code."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.distill.recipes.action_prefix import ActionPrefix
from flash_wam_ros.distill.recipes.base import Recipe, Setting
from flash_wam_ros.distill.recipes.consistency import (
    ActionOnly,
    FlashWam,
    JointX0,
    NaiveJoint,
    VideoOnly,
    VideoOnlyReg,
)
from flash_wam_ros.distill.recipes.dmd2 import Dmd2, Dmd2VideoReg
from flash_wam_ros.distill.recipes.endpoint import Endpoint
from flash_wam_ros.distill.recipes.flow_map import FlowMap
from flash_wam_ros.distill.recipes.on_policy import OnPolicy
from flash_wam_ros.distill.recipes.reduced_steps import ReducedSteps

RECIPES: dict[str, type[Recipe]] = {
    recipe.name: recipe
    for recipe in (
        *(ReducedSteps, FlashWam, NaiveJoint, JointX0, VideoOnly, VideoOnlyReg, ActionOnly),
        *(Dmd2, Dmd2VideoReg, OnPolicy, Endpoint, FlowMap, ActionPrefix),
    )
}
"""Every recipe."""

PUBLISHED_CODE: dict[str, dict[str, Any]] = {
    'flash_wam': {'lambda_reg': 0.01},
    'video_only_reg': {'lambda_reg': 0.01},
    'action_prefix': {'lambda_reg': 0.01},
}
"""Where the published code's values differ from the paper's."""

VALUES = ('paper', 'published_code')

__all__ = ['PUBLISHED_CODE', 'RECIPES', 'VALUES', 'Recipe', 'Setting', 'make_recipe']


def make_recipe(name: str, values: str = 'paper', **options: Any) -> Recipe:
    """Return a recipe.

    Args:
        name: key of `RECIPES`.
        values: ``paper``, or ``published_code`` for the values of the released training code.
        options: fields of the recipe that are to differ from both.

    Raises:
        UserError: unknown name, values or option.
    """
    if name not in RECIPES:
        raise UserError(f'unknown recipe {name!r}; {did_you_mean(str(name), RECIPES)}')
    if values not in VALUES:
        raise UserError(f'unknown values {values!r}; {did_you_mean(str(values), VALUES)}')
    base: Mapping[str, Any] = PUBLISHED_CODE.get(name, {}) if values == 'published_code' else {}
    valid = [field.name for field in fields(RECIPES[name])]
    for option in options:
        if option not in valid:
            raise UserError(
                f'recipe {name} has no option {option!r}; {did_you_mean(option, valid)}'
            )
    return RECIPES[name](**{**base, **options})
