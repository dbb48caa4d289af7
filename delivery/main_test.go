package delivery_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// proving reports whether tests shall run at full size.
func proving() bool { return os.Getenv("PARLEY_PROVE") == "1" }

// scaled is a test's size: as it is every day, and as it is when proving.
func scaled(daily, full int) int {
	if proving() {
		return full
	}
	return daily
}
