package redistest

import "syscall"

// withUs makes a process end when the test's process does, however that ends.
func withUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
