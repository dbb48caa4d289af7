package delivery_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if proving() {
		if err := flag.Set("rapid.checks", "20000"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// proving reports whether tests shall run at full size.
func proving() bool { return os.Getenv("PARLEY_PROVE") == "1" }

// scaled is a test's size: as it is every day, and as it is when proving.
func scaled(daily, full int) int {
	if proving() {
		return full
	}
	return daily
}
