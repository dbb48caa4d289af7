//go:build !windows

package redistest

import (
	"os"
	"syscall"
)

// Pause stops the server from running: connections stay open, and nobody answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue lets a paused server run on.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.t.Fatalf("redistest: %v for a server that isn't running", signal)
	}
	if err := s.process.cmd.Process.Signal(signal); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
}
