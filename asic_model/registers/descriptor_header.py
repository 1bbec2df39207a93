"""The descriptors' layouts, numbers and ranges as a C header for the firmware."""

import struct

from asic_model.descriptors import (
    BLOCK_ALIGNMENT_BYTES,
    BLOCK_CAUSES,
    COMMAND,
    COMPLETION,
    DECODE_MATRICES_BYTES,
    DECODE_MOTION_BYTES,
    DECODE_REFERENCE_BYTES,
    DECODE_SLICE_BYTES,
    FIRST_PASS_RECORD_BYTES,
    FIRST_PASS_SUMMARY_BYTES,
    FIRST_PASS_WORTH_BYTES,
    JOB_BLOCKS,
    LOG_RECORD,
    MOTION_BYTES,
    PICTURE_QP_OFFSET,
    PLAN_BYTES,
    PLAN_ENTRIES_MOST,
    PLAN_ENTRY,
    PLAN_HEADER,
    PLAN_USUAL,
    QUALITY_RESULT_BYTES,
    RECORD_BYTES,
    SESSION_BLOCK,
    STREAM_ALIGNMENT_BYTES,
    VERSION,
    CapacityLimit,
    Command,
    CommandFlag,
    EncodeMode,
    Kind,
    LogCode,
    PictureClass,
    Status,
)
from asic_model.memory.surface import ADDRESS_ALIGNMENT_BYTES, PITCH_ALIGNMENT_BYTES
from asic_model.record_layout import BLOCK_BYTES, Field, Layout

_C_TYPES = {"B": "uint8_t", "b": "int8_t", "H": "uint16_t", "h": "int16_t", "I": "uint32_t", "i": "int32_t"}
_C_TYPES |= {"Q": "uint64_t"}


def c_header() -> str:
    """The layouts, numbers and ranges as a C header for the firmware."""
    # 256 x 2^(-offset / 6): how the bits of a class of pictures change by its offset
    shares = [round(256 * 2 ** (-PICTURE_QP_OFFSET[each] / 6)) for each in PictureClass]
    lines = [
        "// Made by `python -m asic_model.registers.generate` from asic_model/descriptors.py; do not edit.",
        "",
        "#ifndef TASIC_DESCRIPTORS_H",
        "#define TASIC_DESCRIPTORS_H",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        f"#define DESCRIPTOR_VERSION {VERSION}u",
        f"#define RECORD_BYTES {RECORD_BYTES}u",
        f"#define BLOCK_BYTES {BLOCK_BYTES}u",
        f"#define BLOCK_ALIGNMENT_BYTES {BLOCK_ALIGNMENT_BYTES}u",
        f"#define STREAM_ALIGNMENT_BYTES {STREAM_ALIGNMENT_BYTES}u",
        f"#define SURFACE_ALIGNMENT_BYTES {ADDRESS_ALIGNMENT_BYTES}u",
        f"#define PITCH_ALIGNMENT_BYTES {PITCH_ALIGNMENT_BYTES}u",
        f"#define QUALITY_RESULT_BYTES {QUALITY_RESULT_BYTES}u",
        f"#define MOTION_BYTES {MOTION_BYTES}u",
        f"#define PICTURE_CLASSES {len(PictureClass)}u",
        *(f"#define PICTURE_{each.name} {int(each)}u" for each in PictureClass),
        f"#define PICTURE_QP_OFFSETS {{{', '.join(str(PICTURE_QP_OFFSET[each]) for each in PictureClass)}}}",
        *(f"#define PLAN_USUAL_{each.name} {PLAN_USUAL[each]}u" for each in PictureClass),
        f"#define PICTURE_BITS_SHARES {{{', '.join(map(str, shares))}}}",
        f"#define PLAN_BYTES {PLAN_BYTES}u",
        f"#define PLAN_ENTRIES_MOST {PLAN_ENTRIES_MOST}u",
        f"#define FIRST_PASS_SUMMARY_BYTES {FIRST_PASS_SUMMARY_BYTES}u",
        f"#define FIRST_PASS_RECORD_BYTES {FIRST_PASS_RECORD_BYTES}u",
        f"#define FIRST_PASS_WORTH_BYTES {FIRST_PASS_WORTH_BYTES}u",
        f"#define DECODE_SLICE_BYTES {DECODE_SLICE_BYTES}u",
        f"#define DECODE_MATRICES_BYTES {DECODE_MATRICES_BYTES}u",
        f"#define DECODE_REFERENCE_BYTES {DECODE_REFERENCE_BYTES}u",
        f"#define DECODE_MOTION_BYTES {DECODE_MOTION_BYTES}u",
        "",
    ]
    for enumeration in (Command, CommandFlag, Kind, EncodeMode, Status, CapacityLimit, LogCode):
        prefix = {"CommandFlag": "FLAG", "EncodeMode": "MODE", "LogCode": "LOG", "CapacityLimit": "LIMIT"}.get(
            enumeration.__name__, enumeration.__name__.upper()
        )
        lines += [f"#define {prefix}_{m.name} {int(m)}u" for m in enumeration]
        lines.append("")
    for number, cause in BLOCK_CAUSES.items():
        lines.append(f"#define BLOCK_CAUSE_{cause.upper().replace(' ', '_')} {number}u")
    lines += [
        "",
        "// Range rule of one field: offset and size in bytes, least and most legal value (as int64_t).",
        "struct field_rule {",
        "    uint8_t offset;",
        "    uint8_t size; // bytes; | 0x80: signed",
        "    int32_t low;",
        "    uint32_t high;",
        "};",
        "",
    ]
    for layout in (COMMAND, COMPLETION, LOG_RECORD, SESSION_BLOCK, PLAN_HEADER, PLAN_ENTRY, *JOB_BLOCKS.values()):
        lines += _c_layout(layout)
    lines += ["#endif", ""]
    return "\n".join(lines)


def _c_layout(layout: Layout) -> list[str]:
    """One struct with its static checks, field numbers and, for blocks, the table of ranges."""
    upper = layout.name.upper()
    lines = [f"struct {layout.name} {{"]
    for field in sorted(layout.fields, key=lambda f: layout.offsets[f.name]):
        comment = f" // {field.meaning}" if field.meaning else ""
        lines.append(f"    {_C_TYPES[field.code]} {field.name};{comment}")
    if layout.used_bytes < layout.size_bytes:
        lines.append(f"    uint8_t reserved[{layout.size_bytes - layout.used_bytes}];")
    lines += ["};", f'_Static_assert(sizeof(struct {layout.name}) == {layout.size_bytes}, "{layout.name}");']
    for field in layout.fields:
        offset = layout.offsets[field.name]
        lines.append(f'_Static_assert(offsetof(struct {layout.name}, {field.name}) == {offset}, "{field.name}");')
    lines.append(f"#define {upper}_USED_BYTES {layout.used_bytes}u")
    lines += [f"#define {upper}_NUMBER_{f.name.upper()} {n}u" for n, f in enumerate(layout.numbered)]
    if layout.size_bytes == BLOCK_BYTES:
        lines += [f"#define {upper}_RULES {len(layout.body)}u", f"#define {upper}_RULE_TABLE {{ \\"]
        lines += [f"    {_c_rule(layout, field)}, \\" for field in layout.body]
        lines.append("}")
    return [*lines, ""]


def _c_rule(layout: Layout, field: Field) -> str:
    size = struct.calcsize(field.code)
    # 64-bit fields are addresses: the table lets all of them pass, the rules for addresses judge them.
    high = min(field.high, 0xFFFFFFFF)
    return f"{{{layout.offsets[field.name]}, {size | (0x80 if field.code.islower() else 0):#x}, {field.low}, {high}u}}"
