"""What several tests share: machines, oracles, files, screens. No test is here."""
