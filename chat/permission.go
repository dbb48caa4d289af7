package chat

// What each role may do. Everything here rests on the actor's present membership; a room without
// an owner has nobody who may do these things.

// rank orders the roles; what isn't a role ranks below all.
func (r Role) rank() int {
	switch r {
	case Owner:
		return 3
	case Admin:
		return 2
	case Ordinary:
		return 1
	}
	return 0
}

// Valid reports whether r is a role.
func (r Role) Valid() bool { return r.rank() > 0 }

// manages reports whether the role may change the room's describing settings, and add and remove
// ordinary members.
func (r Role) manages() bool { return r.rank() >= Admin.rank() }

// mayGive reports whether the role may let somebody in with another role: admins only ordinary
// members, owners anyone.
func (r Role) mayGive(given Role) bool {
	return r == Owner || r.manages() && given == Ordinary
}

// mayRemove reports whether the role may remove somebody else who has another: admins those below
// them, owners anyone.
func (r Role) mayRemove(other Role) bool {
	return r == Owner || r.manages() && other.rank() < r.rank()
}

// maySetAccess reports whether the role may change who may find the room, what newcomers may
// read, and who has which role.
func (r Role) maySetAccess() bool { return r == Owner }

// mayDelete reports whether the member may delete a message: the sender's own, admins and owners
// anyone's.
func (m *Member) mayDelete(message Message) bool {
	return m.Role.manages() || m.User.ID == message.Sender.ID
}

// forbidden is the answer to somebody who sees a thing and may not do this to it.
func forbidden(format string, args ...any) *Error { return Errorf(Forbidden, format, args...) }
