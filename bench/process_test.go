package main

import (
	"os"
	"testing"
	"time"
)

func TestCPU(t *testing.T) {
	got, err := cpuIn([]byte("42 (a (bad) name) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1"))
	if err != nil || got != 3*time.Second {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := cpuIn([]byte("42 (short) S 1")); err == nil {
		t.Error("a short line is believed")
	}
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if now, _ := cpuOf(os.Getpid()); now > before {
			return
		}
	}
	t.Error("ten seconds of work took no CPU time")
}

func TestField(t *testing.T) {
	file := t.TempDir() + "/status"
	if err := os.WriteFile(file, []byte("Name:\tx\nVmRSS:\t  1234 kB\nsyscw: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"VmRSS:": 1234, "syscw:": 7} {
		if got, err := field(file, name); err != nil || got != want {
			t.Errorf("%s %d, %v", name, got, err)
		}
	}
	if _, err := field(file, "VmSwap:"); err == nil {
		t.Error("what isn't there is found")
	}
	if kib, err := socketMemory(); err != nil || kib < 0 {
		t.Errorf("sockets: %v, %v", kib, err)
	}
}
