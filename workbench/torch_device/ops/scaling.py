"""What `torch.amp.GradScaler` asks of a device: undo the loss's scale, and choose the next one.

The rules are those of ``torch.amp.GradScaler``'s documentation, written with the device's own
operators, so that nothing is read back to the host.
"""

from __future__ import annotations

import torch


def unscale(gradients, found_inf, inv_scale):
    """Scale gradients back in place, and note in `found_inf` whether one was not finite."""
    for gradient in gradients:
        bad = torch.isfinite(gradient).all().logical_not()
        found_inf.copy_(torch.maximum(found_inf, bad.to(found_inf.dtype).view(found_inf.shape)))
        gradient.mul_(inv_scale.to(gradient.dtype))


def update_scale(scale, growth_tracker, found_inf, growth_factor, backoff_factor, growth_interval):
    """Shrink the scale after an overflow; let it grow after `growth_interval` steps without one."""
    overflow, steps = found_inf > 0, growth_tracker + 1
    grows = steps >= growth_interval
    grown = scale * growth_factor
    grown = torch.where(grows & torch.isfinite(grown), grown, scale)
    scale.copy_(torch.where(overflow, scale * backoff_factor, grown))
    growth_tracker.copy_(torch.where(overflow | grows, torch.zeros_like(steps), steps))
    return scale


KERNELS = {
    "_amp_foreach_non_finite_check_and_unscale_": unscale,
    "_amp_update_scale_": update_scale,
}
