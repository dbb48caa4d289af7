package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	secretFile  = "dev-secret"
	secretBytes = 32
	// A secret is kept as hexadecimal digits and a newline.
	secretFileSize = 2*secretBytes + 1
)

// LoadOrCreateSecret returns the secret that signs development tokens, kept in
// dir/dev-secret so that a restart ends nobody's session. The first call makes it:
// 32 random bytes, readable by the owner only (mode 0600); dir is created (0700)
// where it is missing. Processes that race agree on one secret.
//
// A file that others may read is an error, for its secret may be known to them;
// so is one that doesn't hold what was once written. No error contains the secret.
// On Windows, where access is not a matter of mode bits, these are not looked at.
func LoadOrCreateSecret(dir string) ([]byte, error) {
	path := filepath.Join(dir, secretFile)
	secret, err := loadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createSecret(path); err != nil {
			return nil, fmt.Errorf("create the development secret: %w", err)
		}
		secret, err = loadSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("load the development secret: %w", err)
	}
	return secret, nil
}

func loadSecret(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s is open to other users (mode %04o): "+
			"delete it for a new secret, or set mode 0600 if nobody has read it", path, mode)
	}
	corrupt := fmt.Errorf("%s is damaged: delete it for a new secret, everyone then signs in again", path)
	if info.Size() != secretFileSize {
		return nil, corrupt
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(text) != secretFileSize || text[secretFileSize-1] != '\n' {
		return nil, corrupt
	}
	secret := make([]byte, secretBytes)
	if _, err := hex.Decode(secret, text[:secretFileSize-1]); err != nil {
		return nil, corrupt // not err, which quotes the text
	}
	return secret, nil
}

// createSecret makes the file appear whole or not at all, and never replaces one
// that another process made meanwhile: that one then is the secret.
func createSecret(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(dir, secretFile+".draft-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name()) // one left behind is as private as the secret
	secret := make([]byte, secretBytes)
	rand.Read(secret) // never fails
	_, err = fmt.Fprintf(draft, "%x\n", secret)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
