package sqlite

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
)

//go:embed schema1.sql
var schema1 string

//go:embed schema2.sql
var schema2 string

//go:embed schema3.sql
var schema3 string

// migrations lead from one version of the file's format to the next; the first one starts from an
// empty file. One that was released is never changed: another one is added.
var migrations = []string{schema1, schema2, schema3}

// migrate brings the file to the format this program knows.
func migrate(ctx context.Context, c *conn) error {
	version, err := userVersion(ctx, c)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the file has format %d, written by a newer version of Parley; this one knows formats up to %d",
			version, len(migrations))
	}
	for v := version; v < len(migrations); v++ {
		if err := migrateTo(ctx, c, v+1, migrations[v]); err != nil {
			return fmt.Errorf("migrate to format %d: %w", v+1, err)
		}
	}
	return nil
}

// migrateTo makes one step, all of it or nothing.
func migrateTo(ctx context.Context, c *conn, version int, script string) error {
	whole := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d;\nCOMMIT;", script, version)
	if err := c.script(ctx, whole); err != nil {
		// Fails when the error has already ended the transaction; closing the file ends it anyway.
		return errors.Join(err, c.script(context.WithoutCancel(ctx), `ROLLBACK`))
	}
	return nil
}

func userVersion(ctx context.Context, c *conn) (version int, err error) {
	_, err = c.get(ctx, into(&version), `PRAGMA user_version`)
	return version, err
}
