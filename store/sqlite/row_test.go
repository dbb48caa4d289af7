package sqlite

import "testing"

// FuzzRows: whatever a damaged or foreign file holds in its columns, it is read or refused.
func FuzzRows(f *testing.F) {
	f.Add(int64(1), "ada", uint32(0))
	f.Add(int64(-1), `[{"from":1,"to":5},{"from":7}]`, uint32(0b1010))
	f.Add(int64(1)<<62, "\xff", ^uint32(0))
	f.Fuzz(func(t *testing.T, n int64, text string, kinds uint32) {
		fill := func(columns int) row {
			r := make(row, columns)
			for i := range r {
				switch kinds >> (2 * (i % 16)) & 3 {
				case 0:
					r[i] = n
				case 1, 2:
					r[i] = text
				}
			}
			return r
		}
		var message scannedMessage
		if fill(len(message.dest())).Scan(message.dest()...) == nil && message.decoded("r_1").RoomID != "r_1" {
			t.Error("a message of another room")
		}
		var member scannedMember
		if fill(len(member.dest())).Scan(member.dest()...) == nil {
			if m, err := member.decoded("r_1"); err == nil && m.RoomID != "r_1" {
				t.Error("a member of another room")
			}
		}
		fitting := row{text, text, text, text, n, n, n, text, n, n, n, nil, n}
		if err := fitting.Scan(member.dest()...); err != nil {
			t.Error(err)
		}
		_, _ = member.decoded("r_1") // the intervals are text as well
	})
}
