"""What a processor and bhyve must do, a table of cases for each subject.

registers.toml   every register, by page and MSR, in every mode
icr.toml         every combination of delivery mode, shorthand, trigger and level
apicbase.toml    every transition of IA32_APIC_BASE
scenarios/       acts and what is seen after them, in the words of `script`

Each row names its source: a section title of the SDM (Vol. 3A, "Advanced Programmable
Interrupt Controller (APIC)", unless it says otherwise), or a section of the reference
of bhyve's behaviour. Numbers come from there and never from the engine's tables.
"""
