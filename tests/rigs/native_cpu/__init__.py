"""The processor of this host, as an oracle for the one that guests run on."""
