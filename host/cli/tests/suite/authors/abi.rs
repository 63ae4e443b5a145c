//! `wit/ABI.md`: its tables are made from the contract by wit-parser, so that no number in them can be wrong.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use host_core::text::counted;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, InterfaceId, Resolve, SizeAlign, Type, TypeDef, TypeDefKind, TypeId, WorldItem};

/// Worlds whose functions a detector exports.
const WORLDS: [&str; 4] = ["detector", "scoring", "stateful", "learning"];
const BEGIN: &str = "<!-- made from the contract: begin -->\n";
const END: &str = "<!-- made from the contract: end -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The contract, and the sizes of all its types.
struct Contract {
    resolve: Resolve,
    sizes: SizeAlign,
}

#[test]
fn the_sheet_is_that_of_the_contract() {
    let file = root().join("wit/ABI.md");
    let sheet = fs::read_to_string(&file).unwrap();
    let (before, rest) = sheet.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let made = format!("{before}{BEGIN}{}{END}{after}", Contract::read().tables());
    if made != sheet {
        let new = file.with_file_name("ABI.md.new");
        fs::write(&new, made).unwrap();
        panic!("the contract has changed: replace ABI.md by {}", new.display());
    }
}

impl Contract {
    fn read() -> Contract {
        let mut resolve = Resolve::default();
        resolve.push_path(root().join("wit/detector-0.1")).unwrap();
        let mut sizes = SizeAlign::default();
        sizes.fill(&resolve);
        Contract { resolve, sizes }
    }

    fn tables(&self) -> String {
        let mut text = String::from(
            "\n### Functions\n\n| export | parameters, all i32 | result | frees it |\n| --- | --- | --- | --- |\n",
        );
        let functions = self.functions();
        for function in &functions {
            let signature = self.resolve.wasm_signature(AbiVariant::GuestExport, function);
            let result = function.result.as_ref();
            // Only what is returned by a pointer has anything to free.
            let post =
                if signature.retptr { format!("`cabi_post_{}(i32)`", function.name) } else { String::new() };
            let result = match (signature.retptr, result) {
                (true, Some(result)) => format!("i32: address of a {}", self.name(result)),
                (false, Some(result)) => {
                    format!("{}: a {}", core_types(&signature.results), self.name(result))
                }
                (_, None) => "none".into(),
            };
            let parameters = self.parameters(function, &signature.params);
            let _ = writeln!(text, "| `{}` | {parameters} | {result} | {post} |", function.name);
        }
        text += "\n| import | parameters, all i32 |\n| --- | --- |\n";
        for function in self.resolve.interfaces[self.interface("host")].functions.values() {
            let signature = self.resolve.wasm_signature(AbiVariant::GuestImport, function);
            let parameters = self.parameters(function, &signature.params);
            let module = self.resolve.id_of(self.interface("host")).unwrap();
            let _ = writeln!(text, "| `{}` of `{module}` | {parameters} |", function.name);
        }
        text += "\n### Results\n";
        for function in &functions {
            let Some(Type::Id(id)) = function.result else { continue };
            if self.resolve.types[id].name.is_none() {
                let _ = write!(text, "\n`{}` returns: ", function.name);
                text += &self.layout(id);
            }
        }
        text += "\n### Types\n";
        for interface in ["types", "persistence", "host"] {
            for &id in self.resolve.interfaces[self.interface(interface)].types.values() {
                if !matches!(self.resolve.types[id].kind, TypeDefKind::Type(_)) {
                    text.push('\n');
                    text += &self.layout(id);
                }
            }
        }
        text += "\n";
        text
    }

    /// All functions that a detector may export.
    fn functions(&self) -> Vec<&Function> {
        let worlds = WORLDS.iter().map(|name| {
            let found = self.resolve.worlds.iter().find(|(_, world)| world.name == *name);
            &found.expect("the contract has this world").1.exports
        });
        let functions = worlds.flat_map(|exports| exports.values()).map(|item| match item {
            WorldItem::Function(function) => function,
            other => panic!("{other:?}"),
        });
        functions.collect()
    }

    fn interface(&self, name: &str) -> InterfaceId {
        let named = |interface: &wit_parser::Interface| interface.name.as_deref() == Some(name);
        self.resolve.interfaces.iter().find(|(_, interface)| named(interface)).unwrap().0
    }

    /// The core values that each parameter is flattened into.
    fn parameters(&self, function: &Function, all: &[WasmType]) -> String {
        let parts =
            function.params.iter().flat_map(|parameter| self.flattened(&parameter.name, &parameter.ty));
        let parts: Vec<(String, Vec<&str>)> = parts.collect();
        let count: usize = parts.iter().map(|(_, parts)| parts.len()).sum();
        assert_eq!(core_types(all), vec!["i32"; count].join(", "), "{}", function.name);
        let told = parts.iter().map(|(name, parts)| format!("`{name}`: {}", parts.join(", ")));
        if count == 0 { "none".into() } else { told.collect::<Vec<_>>().join("; ") }
    }

    /// What a parameter is passed as: names, each with its core values.
    fn flattened(&self, name: &str, ty: &Type) -> Vec<(String, Vec<&'static str>)> {
        let of = |parts: &[&'static str]| vec![(name.to_owned(), parts.to_vec())];
        let Type::Id(id) = ty else {
            return of(if *ty == Type::String { &["address", "length"] } else { &["value"] });
        };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Type(ty) => self.flattened(name, ty),
            TypeDefKind::List(_) => of(&["address", "length"]),
            TypeDefKind::Enum(_) => of(&["case"]),
            TypeDefKind::Option(ty) => {
                let mut some = self.flattened(name, ty);
                some[0].1.insert(0, "0 or 1");
                some
            }
            TypeDefKind::Record(record) => {
                record.fields.iter().flat_map(|field| self.flattened(&field.name, &field.ty)).collect()
            }
            other => panic!("a parameter that is a {}", other.as_str()),
        }
    }

    /// How a type lies in memory.
    fn layout(&self, id: TypeId) -> String {
        let whole = Type::Id(id);
        let TypeDef { name, kind, .. } = &self.resolve.types[id];
        let named = name.as_deref().map_or_else(String::new, |name| format!("**`{name}`**, "));
        let (bytes, align) = (self.sizes.size(&whole).size_wasm32(), self.sizes.align(&whole).align_wasm32());
        let bytes = counted(bytes as u64, "byte");
        let mut text = format!("{named}{}: {bytes}, aligned to {align}\n\n", kind.as_str());
        let mut row = |cells: [&str; 3]| {
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        };
        let mut cases = |cases: Vec<(String, Option<Type>)>| {
            let payloads = cases.iter().map(|(_, ty)| ty.as_ref());
            let tag = if cases.len() <= 256 { wit_parser::Int::U8 } else { wit_parser::Int::U16 };
            let offset = self.sizes.payload_offset(tag, payloads).size_wasm32();
            let payload = format!("at {offset}");
            row(["byte 0", "case", if cases.iter().any(|(_, ty)| ty.is_some()) { &payload } else { "" }]);
            row(["---", "---", "---"]);
            for (i, (name, ty)) in cases.iter().enumerate() {
                let payload = ty.as_ref().map_or_else(String::new, |ty| self.name(ty));
                row([&i.to_string(), &format!("`{name}`"), &payload]);
            }
        };
        match kind {
            TypeDefKind::Record(record) => {
                row(["offset", "field", "type"]);
                row(["---", "---", "---"]);
                let types = record.fields.iter().map(|field| &field.ty);
                for ((offset, ty), field) in self.sizes.field_offsets(types).iter().zip(&record.fields) {
                    let offset = offset.size_wasm32().to_string();
                    row([&offset, &format!("`{}`", field.name), &self.name(ty)]);
                }
            }
            TypeDefKind::Variant(variant) => {
                cases(variant.cases.iter().map(|case| (case.name.clone(), case.ty)).collect());
            }
            TypeDefKind::Enum(names) => {
                cases(names.cases.iter().map(|case| (case.name.clone(), None)).collect());
            }
            TypeDefKind::Result(result) => cases(vec![("ok".into(), result.ok), ("err".into(), result.err)]),
            other => panic!("{named} is a {}", other.as_str()),
        }
        text
    }

    /// A type's name, with its size and alignment where it has no table of its own.
    fn name(&self, ty: &Type) -> String {
        let id = match ty {
            Type::Bool => return "bool, 1 byte".into(),
            Type::U8 => return "u8".into(),
            Type::U32 => return "u32".into(),
            Type::S64 => return "s64".into(),
            Type::F64 => return "f64".into(),
            Type::String => return "string: address, length in bytes".into(),
            Type::Id(id) => *id,
            other => panic!("{other:?}"),
        };
        let TypeDef { name, kind, .. } = &self.resolve.types[id];
        match (name, kind) {
            (_, TypeDefKind::Type(ty)) => self.name(ty),
            (Some(name), _) => format!("`{name}`"),
            (None, TypeDefKind::List(element)) => {
                let bytes = counted(self.sizes.size(element).size_wasm32() as u64, "byte");
                format!("list: address, count; {bytes} each: {}", self.name(element))
            }
            (None, TypeDefKind::Option(inner)) => {
                let offset =
                    self.sizes.payload_offset(wit_parser::Int::U8, [None, Some(inner)]).size_wasm32();
                format!("option: byte 0 is 0 or 1; then at {offset} {}", self.name(inner))
            }
            (None, TypeDefKind::Result(_)) => "result".into(),
            (None, other) => panic!("{}", other.as_str()),
        }
    }
}

fn core_types(types: &[WasmType]) -> String {
    let name = |core: &WasmType| match core {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    };
    types.iter().map(name).collect::<Vec<_>>().join(", ")
}
