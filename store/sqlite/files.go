package sqlite

import (
	"fmt"
	"os"
	"time"
)

// ownedFor is how long it may take to notice that the files were taken away.
const ownedFor = time.Second

// files are the database and the lock as they were when the store was opened. Where somebody moves or
// deletes them, what is written goes into a file that nobody will find again, and another process may
// take the folder: so nothing is written any more.
type files struct {
	database, lock       string
	databaseIs, lockedIs os.FileInfo
}

func filesOf(database string, l *folderLock) (*files, error) {
	f := &files{database: database, lock: l.file.Name()}
	var err error
	if f.databaseIs, err = os.Stat(database); err != nil {
		return nil, err
	}
	if f.lockedIs, err = l.file.Stat(); err != nil {
		return nil, err
	}
	return f, nil
}

// owned fails unless the files are the same as at the beginning.
func (f *files) owned() error {
	for path, was := range map[string]os.FileInfo{f.database: f.databaseIs, f.lock: f.lockedIs} {
		if is, err := os.Stat(path); err != nil || !os.SameFile(is, was) {
			return fmt.Errorf("%s was deleted or replaced under the running server: put it back, or restart on what is there", path)
		}
	}
	return nil
}
