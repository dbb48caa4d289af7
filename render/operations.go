package render

import (
	"runtime"
	"sync"
	"weak"
)

// operations are those in use, by group key: whoever subscribes next to the same gets the same
// operation. One that nobody uses any more is forgotten.
type operations struct {
	mu    sync.Mutex
	byKey map[string]weak.Pointer[operation]
}

// get returns the operation of a group, made if there is none.
func (o *operations) get(key string, make func() *operation) *operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.byKey[key].Value(); known != nil {
		return known
	}
	if o.byKey == nil {
		o.byKey = map[string]weak.Pointer[operation]{}
	}
	fresh := make()
	pointer := weak.Make(fresh)
	o.byKey[key] = pointer
	runtime.AddCleanup(fresh, func(key string) { o.forget(key, pointer) }, key)
	return fresh
}

// forget drops an operation that is gone, unless another one has taken its place.
func (o *operations) forget(key string, gone weak.Pointer[operation]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byKey[key] == gone {
		delete(o.byKey, key)
	}
}
