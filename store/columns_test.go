package store

import (
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/migrations"
)

// Any time but the epoch itself comes back to the microsecond, and only the
// zero time is stored as 0.
func TestMicros(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// From the year 1 to the year 9999.
		in := time.UnixMicro(rapid.Int64Range(-62135596800_000000, 253402300799_999999).Draw(t, "µs")).UTC()
		out := fromMicros(micros(in))
		switch {
		case in.IsZero():
			if micros(in) != 0 {
				t.Fatalf("zero is stored as %d", micros(in))
			}
		case in.UnixMicro() == 0:
			if !out.Before(in) || out.IsZero() {
				t.Fatalf("the epoch came back as %s", out)
			}
		case !out.Equal(in):
			t.Fatalf("%s came back as %s", in, out)
		}
	})
}

func TestColumnsRefuseOtherTypes(t *testing.T) {
	if err := into(new(time.Time)).Scan("x"); err == nil {
		t.Error("a text became a time")
	}
	if err := doc(new([]string)).Scan(int64(1)); err == nil {
		t.Error("a number became a document")
	}
	if err := doc(new([]string)).Scan([]byte("{")); err == nil {
		t.Error("broken JSON became a document")
	}
	if _, err := doc(make(chan int)).Value(); err == nil {
		t.Error("a channel became JSON")
	}
	if err := (reference{}).Scan(1); err == nil {
		t.Error("a number became a reference")
	}
}

func TestAssertionGuard(t *testing.T) {
	short, long := assertionGuard("ab", "c")
	if s, l := assertionGuard("a", "bc"); s == short || l == long {
		t.Error("issuer and jti run together")
	}
	if len(short) != 22 || len(long) != 43 || short[:21] != long[:21] {
		t.Errorf("guards %s and %s", short, long)
	}
}

func TestReadMigrations(t *testing.T) {
	all, err := readMigrations(migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		if i > 0 && m.Version <= all[i-1].Version {
			t.Errorf("migration %04d comes after %04d", m.Version, all[i-1].Version)
		}
		if len(statements(m.up)) == 0 || len(statements(m.down)) == 0 {
			t.Errorf("migration %04d is empty", m.Version)
		}
	}
	_, err = readMigrations(fstest.MapFS{"0001_x.up.sql": {Data: []byte("SELECT 1;")}})
	if err == nil {
		t.Error("a migration without a way back was accepted")
	}
}
