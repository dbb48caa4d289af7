package auth

// holders are the connections of this node, by whose they are and by the id of their token.
type holders struct {
	all             map[any]*holder
	byUser, byToken shelf
}

type holder struct {
	viewer *Viewer
	end    func()
	// Where it is in its user's list, and in its token's.
	atUser, atToken int
}

func newHolders() holders {
	return holders{
		all:     map[any]*holder{},
		byUser:  shelf{map[string][]*holder{}, func(h *holder) *int { return &h.atUser }},
		byToken: shelf{map[string][]*holder{}, func(h *holder) *int { return &h.atToken }},
	}
}

func (h *holders) set(owner any, v *Viewer, end func()) {
	h.drop(owner)
	one := &holder{viewer: v, end: end}
	h.all[owner] = one
	h.byUser.add(v.ID, one)
	if v.TokenID != "" {
		h.byToken.add(v.TokenID, one)
	}
}

func (h *holders) drop(owner any) {
	one := h.all[owner]
	if one == nil {
		return
	}
	delete(h.all, owner)
	h.byUser.remove(one.viewer.ID, one)
	if one.viewer.TokenID != "" {
		h.byToken.remove(one.viewer.TokenID, one)
	}
}

// covered returns how to end the connections whose tokens a revocation takes back.
func (h *holders) covered(by Revocation) (ends []func()) {
	candidates := h.byUser.named[by.User]
	if by.Token != "" {
		candidates = h.byToken.named[by.Token]
	}
	for _, one := range candidates {
		if by.covers(one.viewer) {
			ends = append(ends, one.end)
		}
	}
	return ends
}

// shelf are holders by a name. Most names have one.
type shelf struct {
	named map[string][]*holder
	// at is where a holder is in its list.
	at func(*holder) *int
}

func (s shelf) add(name string, one *holder) {
	*s.at(one) = len(s.named[name])
	s.named[name] = append(s.named[name], one)
}

func (s shelf) remove(name string, one *holder) {
	list, at := s.named[name], *s.at(one)
	last := len(list) - 1
	if last == 0 {
		delete(s.named, name)
		return
	}
	list[at] = list[last]
	*s.at(list[at]) = at
	list[last] = nil
	s.named[name] = list[:last]
}
