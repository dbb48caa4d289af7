package auth_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"parley/auth"
)

func TestLoadOrCreateSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	first := mustLoad(t, dir)
	t.Run("is 32 bytes, not all alike", func(t *testing.T) {
		if len(first) != 32 || bytes.Count(first, first[:1]) == 32 {
			t.Errorf("secret of %d bytes", len(first))
		}
		if _, err := auth.NewSigner(first); err != nil {
			t.Error(err)
		}
	})
	t.Run("is kept", func(t *testing.T) {
		if again := mustLoad(t, dir); !bytes.Equal(again, first) {
			t.Error("a second call returned another secret")
		}
	})
	t.Run("differs elsewhere", func(t *testing.T) {
		if other := mustLoad(t, t.TempDir()); bytes.Equal(other, first) {
			t.Error("another folder has the same secret")
		}
	})
	t.Run("is alone in its folder", func(t *testing.T) { mustBeAlone(t, dir) })
	t.Run("is private", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Log("mode bits mean nothing here")
			return
		}
		for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "dev-secret"): 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
			}
		}
	})
	t.Run("signs for the next run", func(t *testing.T) {
		signer, err := auth.NewSigner(first)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign("ada", "")
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := auth.NewHS256Verifier(mustLoad(t, dir), auth.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
}

func TestLoadOrCreateSecretAtOnce(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "data")
		secrets := make([][]byte, 16)
		errs := make([]error, len(secrets))
		start := make(chan struct{})
		var group sync.WaitGroup
		for i := range secrets {
			group.Go(func() {
				<-start
				secrets[i], errs[i] = auth.LoadOrCreateSecret(dir)
			})
		}
		close(start)
		group.Wait()
		for i := range secrets {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			if !bytes.Equal(secrets[i], secrets[0]) {
				t.Fatal("two secrets were handed out")
			}
		}
		mustBeAlone(t, dir)
	}
}

func TestLoadOrCreateSecretRefusesOpenFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("mode bits mean nothing here")
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "dev-secret")
	secret := mustLoad(t, dir)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o620, 0o604, 0o601, 0o777} {
		t.Run(mode.String(), func(t *testing.T) {
			mustChmod(t, path, mode)
			mustNotLoad(t, dir, "open to other users")
		})
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		t.Run(mode.String(), func(t *testing.T) {
			mustChmod(t, path, mode)
			if again := mustLoad(t, dir); !bytes.Equal(again, secret) {
				t.Error("the secret changed")
			}
		})
	}
}

func TestLoadOrCreateSecretRefusesDamage(t *testing.T) {
	good := strings.Repeat("0a", 32) + "\n"
	for name, content := range map[string]string{
		"empty": "", "cut": good[:40] + "\n", "no newline": good[:64], "longer": good + "\n", "huge": strings.Repeat(good, 1<<14),
		"not hexadecimal": strings.Repeat("zz", 32) + "\n", "no newline at its end": good[:64] + " ", "bytes": strings.Repeat("\x00", 65),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustWrite(t, filepath.Join(dir, "dev-secret"), content)
			err := mustNotLoad(t, dir, "damaged")
			if len(content) >= 8 && strings.Contains(err.Error(), content[:8]) {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
	t.Run("the model of these is loaded", func(t *testing.T) {
		dir := t.TempDir()
		mustWrite(t, filepath.Join(dir, "dev-secret"), good)
		if secret := mustLoad(t, dir); !bytes.Equal(secret, bytes.Repeat([]byte{10}, 32)) {
			t.Errorf("loaded %x", secret)
		}
	})
}

func TestLoadOrCreateSecretRefusesOtherThings(t *testing.T) {
	t.Run("a folder in its place", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "dev-secret"), 0o700); err != nil {
			t.Fatal(err)
		}
		mustNotLoad(t, dir, "not a regular file")
	})
	t.Run("a link in its place", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), filepath.Join(dir, "dev-secret")); err != nil {
			t.Fatal(err)
		}
		mustNotLoad(t, dir, "not a regular file")
	})
	t.Run("a file for a folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		mustWrite(t, path, "")
		mustNotLoad(t, path, "development secret")
	})
}

func mustLoad(t *testing.T, dir string) []byte {
	t.Helper()
	secret, err := auth.LoadOrCreateSecret(dir)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func mustNotLoad(t *testing.T, dir, reason string) error {
	t.Helper()
	secret, err := auth.LoadOrCreateSecret(dir)
	if secret != nil || err == nil || !strings.Contains(err.Error(), reason) {
		t.Fatalf("%d bytes, %v; want an error with %q", len(secret), err, reason)
	}
	return err
}

func mustBeAlone(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "dev-secret" {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustChmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
