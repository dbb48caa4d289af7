//go:build !linux

package redistest

import "syscall"

// withUs would make a process end when the test's process does; only Linux can.
func withUs() *syscall.SysProcAttr { return nil }
