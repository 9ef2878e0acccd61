"""Lines as gdb, Bochs, QEMU's monitor and WinDbg want them, and what they are here."""
