"""APIC state that was saved elsewhere, checked and put onto a vCPU."""
