package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// InUseError says that another process holds the data folder.
type InUseError struct {
	Dir string
	// PID is the process that holds it, 0 if it hasn't said yet.
	PID int
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("sqlite: data folder %s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("sqlite: data folder %s is in use by process %d", e.Dir, e.PID)
}

// errLocked is what lockFile says of a file that another process has locked.
var errLocked = errors.New("locked by another process")

// folderLock holds a data folder for one process: by a lock on an open file, so that it ends with
// the process, however that ends. The file stays, and says who locked it last.
type folderLock struct{ file *os.File }

func lockFolder(dir string) (*folderLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: lock: %w", err)
	}
	l := &folderLock{file}
	switch err := lockFile(file); {
	case errors.Is(err, errLocked):
		return nil, errors.Join(&InUseError{Dir: dir, PID: l.holder()}, file.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("sqlite: lock %s: %w", file.Name(), err), file.Close())
	}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite: lock: %w", err), file.Close())
	}
	return l, nil
}

// sign writes our pid into the file.
func (l *folderLock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder reads the pid in the file, 0 if there is none.
func (l *folderLock) holder() int {
	b, err := io.ReadAll(io.LimitReader(l.file, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// release gives the folder back: closing the file unlocks it.
func (l *folderLock) release() error { return l.file.Close() }
