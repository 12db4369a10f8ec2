"""What a load run measured, and what is made of it: histograms, ledgers side by side, the target's CPU, the result."""
