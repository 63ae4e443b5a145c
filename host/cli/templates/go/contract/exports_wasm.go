package contract

import (
	"errors"
	"fmt"
	"math"
	"path"
	"runtime"
	"strings"
	"unsafe"
)

// The functions that the host calls, by the component model's rules: https://component-model.bytecodealliance.org
//
// In the host's view of the memory a pointer has 32 bits. In Go's, it has 64; so no Go type has the host's layout,
// and what is passed is written and read field by field.

var detector Detector

// Export makes this the detector that the host calls.
func Export(d Detector) { detector = d }

// Memory that the host knows of, until its call has ended. The collector sees it here, and moves nothing.
var kept []unsafe.Pointer

//go:wasmimport ingest:detector/host@0.1.0 log
func hostLog(level uint32, text unsafe.Pointer, length uint32)

func log(level Level, message string) {
	hostLog(uint32(level), unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}

//go:wasmexport cabi_realloc
func reallocate(old unsafe.Pointer, oldBytes, _, bytes uint32) unsafe.Pointer {
	memory := allocate(bytes)
	copy(unsafe.Slice((*byte)(memory), bytes), unsafe.Slice((*byte)(old), oldBytes))
	return memory
}

// allocate returns memory that is aligned for everything, and kept for this call.
func allocate(bytes uint32) unsafe.Pointer {
	words := make([]uint64, bytes/8+1)
	memory := unsafe.Pointer(unsafe.SliceData(words))
	kept = append(kept, memory)
	return memory
}

// What the host does when it has read an answer.
func release() {
	clear(kept)
	kept = kept[:0]
}

//go:wasmexport cabi_post_describe
func afterDescribe(unsafe.Pointer) { release() }

//go:wasmexport cabi_post_configure
func afterConfigure(unsafe.Pointer) { release() }

//go:wasmexport cabi_post_classify
func afterClassify(unsafe.Pointer) { release() }

//go:wasmexport cabi_post_finish
func afterFinish(unsafe.Pointer) { release() }

//go:wasmexport describe
func describe() unsafe.Pointer {
	metadata := detector.Describe()
	answer := newRecord(36)
	answer.text(0, metadata.Name)
	answer.text(8, metadata.Version)
	answer.text(16, metadata.Description)
	answer.byte(32, uint8(metadata.Ordering))
	settings := answer.list(24, len(metadata.Settings), 32)
	for i, setting := range metadata.Settings {
		item := settings.item(i, 32)
		item.text(0, setting.Name)
		item.byte(8, uint8(setting.Kind))
		if setting.Default != nil {
			item.byte(12, 1)
			item.text(16, *setting.Default)
		}
		item.text(24, setting.Doc)
	}
	return answer.memory
}

//go:wasmexport configure
func configure(settings unsafe.Pointer, count uint32) unsafe.Pointer {
	values := Settings{}
	for i := range int(count) {
		item := record{settings}.item(i, 16)
		values[strings.Clone(item.string(0))] = strings.Clone(item.string(8))
	}
	return answer(func(answer record) error {
		columns, err := detector.Configure(values)
		list := answer.list(4, len(columns), 12)
		for i, column := range columns {
			item := list.item(i, 12)
			item.text(0, column.Name)
			item.byte(8, uint8(column.Kind))
			if column.Required {
				item.byte(9, 1)
			}
		}
		return err
	})
}

//go:wasmexport classify
func classify(
	users unsafe.Pointer, userCount uint32, amounts unsafe.Pointer, amountCount uint32,
	timestamps unsafe.Pointer, timestampCount uint32, columns unsafe.Pointer, columnCount uint32,
) unsafe.Pointer {
	batch := Batch{
		UserIDs:    unsafe.Slice((*int64)(users), userCount),
		Amounts:    unsafe.Slice((*int64)(amounts), amountCount),
		Timestamps: unsafe.Slice((*int64)(timestamps), timestampCount),
		Columns:    make([]Column, columnCount),
	}
	for i := range batch.Columns {
		item := record{columns}.item(i, 20)
		switch *(*uint8)(item.at(0)) {
		case 1:
			batch.Columns[i].Codes = unsafe.Slice((*uint32)(item.pointer(4)), item.number(8))
			batch.Columns[i].Dictionary = strings.Split(item.string(12), "\x00")
		case 2:
			batch.Columns[i].Numbers = unsafe.Slice((*float64)(item.pointer(4)), item.number(8))
		}
	}
	return answer(func(answer record) error {
		anomalies, err := detector.Classify(&batch)
		list := answer.list(4, len(anomalies), 24)
		for i, anomaly := range anomalies {
			item := list.item(i, 24)
			item.put(0, anomaly.Row)
			*(*uint64)(item.at(8)) = math.Float64bits(anomaly.Score)
			item.text(16, printable(anomaly.Reason))
		}
		return err
	})
}

//go:wasmexport finish
func finish() unsafe.Pointer {
	return answer(func(record) error { return detector.Finish() })
}

// answer is what a call returns: its result, the error that it returns, or that it panicked, and where.
func answer(call func(record) error) (memory unsafe.Pointer) {
	answer := newRecord(24)
	defer func() {
		if reason := recover(); reason != nil {
			answer.fail(panicked(reason))
		}
		memory = answer.memory
	}()
	if err := call(answer); err != nil {
		answer.fail(err)
	}
	return answer.memory
}

// panicked says where the detector panicked, and logs how it came there.
func panicked(reason any) error {
	callers := make([]uintptr, 100)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	place := ""
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		file := path.Base(frame.File)
		if strings.HasPrefix(frame.Function, "runtime.") || file == "exports_wasm.go" || file == "<autogenerated>" {
			continue
		}
		if place == "" {
			place = fmt.Sprintf(", in %s:%d", file, frame.Line)
			Log(Severe, "panic: %v", reason)
		}
		Log(Severe, "  in %s, %s:%d", frame.Function, file, frame.Line)
	}
	return fmt.Errorf("panic: %v%s", reason, place)
}

// record is memory as the host sees it.
type record struct{ memory unsafe.Pointer }

func newRecord(bytes uint32) record { return record{allocate(bytes)} }

func (r record) at(offset int) unsafe.Pointer      { return unsafe.Add(r.memory, offset) }
func (r record) item(index, bytes int) record      { return record{r.at(index * bytes)} }
func (r record) byte(offset int, value uint8)      { *(*uint8)(r.at(offset)) = value }
func (r record) put(offset int, value uint32)      { *(*uint32)(r.at(offset)) = value }
func (r record) number(offset int) uint32          { return *(*uint32)(r.at(offset)) }
func (r record) pointer(offset int) unsafe.Pointer { return unsafe.Pointer(uintptr(r.number(offset))) }

func (r record) string(offset int) string {
	return unsafe.String((*byte)(r.pointer(offset)), r.number(offset+4))
}

func (r record) text(offset int, text string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	memory := unsafe.Pointer(unsafe.StringData(text))
	kept = append(kept, memory)
	r.put(offset, uint32(uintptr(memory)))
	r.put(offset+4, uint32(len(text)))
}

func (r record) list(offset, count, bytes int) record {
	list := newRecord(uint32(count * bytes))
	r.put(offset, uint32(uintptr(list.memory)))
	r.put(offset+4, uint32(count))
	return list
}

func (r record) fail(err error) {
	r.byte(0, 1)
	known := new(Error)
	switch {
	case !errors.As(err, &known):
		r.byte(4, 2)
		r.text(8, err.Error())
	case known.setting != "":
		r.byte(4, 0)
		r.text(8, known.setting)
		r.text(16, known.message)
	default:
		r.byte(4, 1)
		r.text(8, known.message)
	}
}
