"""Why: answers about a machine from its state alone, without changing anything.

`vector` says where a vector is and what keeps it, `sources` who could send it, `vcpu`
why a vCPU does not run and what would wake it, `ipi` whom an IPI would reach. An answer
is a frozen record and a sentence; each of its reasons names a rule, and the values that
the rule was applied to.
"""
