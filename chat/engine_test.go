package chat_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/chat"
	"parley/eventlog"
	"parley/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openEngine opens an empty store that lives as long as the test.
func openEngine(t *testing.T) (chat.Store, eventlog.Log) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store, store
}
