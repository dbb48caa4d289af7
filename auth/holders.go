package auth

import "slices"

// holders are the connections of this node, by whose they are and by the id of their token.
type holders struct {
	all             map[any]*holder
	byUser, byToken map[string]map[*holder]bool
}

type holder struct {
	viewer *Viewer
	end    func()
}

func newHolders() holders {
	return holders{all: map[any]*holder{}, byUser: map[string]map[*holder]bool{}, byToken: map[string]map[*holder]bool{}}
}

func (h *holders) set(owner any, v *Viewer, end func()) {
	h.drop(owner)
	one := &holder{viewer: v, end: end}
	h.all[owner] = one
	index(h.byUser, v.ID, one)
	if v.TokenID != "" {
		index(h.byToken, v.TokenID, one)
	}
}

func (h *holders) drop(owner any) {
	one := h.all[owner]
	if one == nil {
		return
	}
	delete(h.all, owner)
	unindex(h.byUser, one.viewer.ID, one)
	unindex(h.byToken, one.viewer.TokenID, one)
}

// covered returns how to end the connections whose tokens a revocation takes back.
func (h *holders) covered(by Revocation) []func() {
	candidates := h.byUser[by.User]
	if by.Token != "" {
		candidates = h.byToken[by.Token]
	}
	var ends []func()
	for one := range candidates {
		if by.covers(one.viewer) {
			ends = append(ends, one.end)
		}
	}
	return slices.Clip(ends)
}

func index(by map[string]map[*holder]bool, key string, one *holder) {
	if by[key] == nil {
		by[key] = map[*holder]bool{}
	}
	by[key][one] = true
}

func unindex(by map[string]map[*holder]bool, key string, one *holder) {
	delete(by[key], one)
	if len(by[key]) == 0 {
		delete(by, key)
	}
}
