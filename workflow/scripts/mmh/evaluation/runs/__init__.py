"""Tables of several runs: studies, and the same experiment trained anew."""
