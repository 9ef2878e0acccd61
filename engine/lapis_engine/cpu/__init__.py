"""The processor: Unicorn behind intercepts, and what the architecture does around it.

The only package that imports unicorn. One instance (`core`) is multiplexed over the
saved context of each vCPU (`context`, read by its architectural names through
`registers`). Everything that the processor cannot do by itself comes out as one
record (`intercepts`); page walks and event delivery are done here by the manual.

Editions cited throughout: Intel SDM of 2024, AMD APM Vol. 2 of 2024, by section title.
"""
