package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"
)

// row is a row of a result.
type row []driver.Value

// into returns a scan that reads a row into dest.
func into(dest ...any) func(row) error {
	return func(r row) error { return r.Scan(dest...) }
}

// Scan reads the row's columns, in order, into what dest point to.
func (r row) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("%d columns for %d destinations", len(r), len(dest))
	}
	for i, v := range r {
		if !assign(dest[i], v) {
			return fmt.Errorf("column %d: %T doesn't go into %T", i, v, dest[i])
		}
	}
	return nil
}

// assign reads a stored value into what dest points to, and reports whether it fits.
func assign(dest any, v driver.Value) bool {
	switch v := v.(type) {
	case int64:
		return assignInteger(dest, v)
	case string:
		return assignText(dest, v)
	case nil:
		null, ok := dest.(*sql.NullInt64)
		if ok {
			*null = sql.NullInt64{}
		}
		return ok
	}
	return false
}

func assignInteger(dest any, v int64) bool {
	switch d := dest.(type) {
	case *int64:
		*d = v
	case *uint64:
		*d = uint64(v)
	case *uint32:
		*d = uint32(v)
	case *int:
		*d = int(v)
	case *bool:
		*d = v != 0
	case *sql.NullInt64:
		*d = sql.NullInt64{Int64: v, Valid: true}
	default:
		e := reflect.ValueOf(dest).Elem()
		if !e.CanUint() || e.OverflowUint(uint64(v)) {
			return false
		}
		e.SetUint(uint64(v))
	}
	return true
}

func assignText(dest any, v string) bool {
	switch d := dest.(type) {
	case *string:
		*d = v
	case *[]byte:
		*d = []byte(v)
	default:
		e := reflect.ValueOf(dest).Elem()
		if e.Kind() != reflect.String {
			return false
		}
		e.SetString(v)
	}
	return true
}

// stored is an argument in a form that the driver takes.
func stored(arg any) (driver.Value, error) {
	switch a := arg.(type) {
	case nil, int64, string, bool:
		return a, nil
	case int:
		return int64(a), nil
	case uint32:
		return int64(a), nil
	case uint64:
		return int64(a), nil // offsets and seqs of rooms never come near the end
	}
	return driver.DefaultParameterConverter.ConvertValue(arg)
}

// millis is a time as it is stored, nil as NULL.
func millis(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMilli()
}

// moment reads a stored time that may be NULL.
func moment(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := fromMillis(ms.Int64)
	return &t
}
