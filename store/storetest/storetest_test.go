package storetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMemory runs the suite on a store that is the suite's own model, to check the suite.
func TestMemory(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, o storetest.Options) storetest.Store {
		return storetest.NewMemory(o)
	})
}
