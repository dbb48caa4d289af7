package sqlite_test

import (
	"testing"

	"parley/store/sqlite"
	"parley/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o storetest.Options) storetest.Store {
		return open(t, sqlite.Options{Dir: t.TempDir(), Retention: o.Retention})
	})
}
