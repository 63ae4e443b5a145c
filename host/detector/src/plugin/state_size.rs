//! What the instances of a plugin take besides their memories and tables: globals, references to functions,
//! segments kept for later use. The engine allocates them without asking a limiter, and a module of five
//! megabytes can be instantiated a hundred times: so an upper bound is computed before anything is compiled.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, ElementItems, ElementKind, Instance, Parser, Payload,
};

/// An instance of an empty module.
const INSTANCE_BYTES: u64 = 1_024;
/// Every global counts as the largest value.
const GLOBAL_BYTES: u64 = 16;
/// Code, context and type of a function; an import counts the same.
const FUNCTION_BYTES: u64 = 40;
/// The engine's own record of a table, a memory or a function that a component passes on.
const RECORD_BYTES: u64 = 64;
/// An element of a segment that is kept for later.
const ELEMENT_BYTES: u64 = 16;
/// The size of what is not known before linking, which may be anything.
const UNKNOWN: u64 = u64::MAX;

/// The size of all instances of a component together, in bytes; [`u64::MAX`] if it instantiates what it
/// imports or gets from others, which no plugin needs.
///
/// # Errors
/// If the bytes are not a component.
pub fn state_bytes(component: &[u8]) -> Result<u64, BinaryReaderError> {
    let mut open = vec![Open::default()];
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } => open.push(Open::module()),
            Payload::ComponentSection { .. } => open.push(Open::default()),
            Payload::End(_) if open.len() > 1 => close(&mut open),
            payload => {
                // The outermost component is never closed.
                let Some((inner, outer)) = open.split_last_mut() else { break };
                if inner.is_module {
                    inner.count_in_module(payload)?;
                } else {
                    inner.count_in_component(payload, outer)?;
                }
            }
        }
    }
    Ok(open.first().map_or(0, |outermost| outermost.bytes))
}

/// A module or component that has not been read to its end.
#[derive(Default)]
struct Open {
    is_module: bool,
    /// The size of one instance, so far.
    bytes: u64,
    /// The size of one instance of each module and component that it has, by index.
    modules: Vec<u64>,
    components: Vec<u64>,
}

/// The innermost one has been read; from now on it is known to the one around it.
fn close(open: &mut Vec<Open>) {
    let Some(inner) = open.pop() else { return };
    if let Some(outer) = open.last_mut() {
        let known = if inner.is_module { &mut outer.modules } else { &mut outer.components };
        known.push(inner.bytes);
    }
}

impl Open {
    fn module() -> Open {
        Open { is_module: true, bytes: INSTANCE_BYTES, ..Open::default() }
    }

    fn add(&mut self, count: impl Into<u64>, bytes_each: u64) {
        self.bytes = self.bytes.saturating_add(count.into().saturating_mul(bytes_each));
    }

    fn count_in_module(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ImportSection(section) => {
                let mut imports = 0_u64;
                for import in section.into_imports() {
                    import?;
                    imports += 1;
                }
                self.add(imports, FUNCTION_BYTES);
            }
            Payload::FunctionSection(section) => self.add(section.count(), FUNCTION_BYTES),
            Payload::GlobalSection(section) => self.add(section.count(), GLOBAL_BYTES),
            Payload::TagSection(section) => self.add(section.count(), GLOBAL_BYTES),
            Payload::TableSection(section) => self.add(section.count(), RECORD_BYTES),
            Payload::MemorySection(section) => self.add(section.count(), RECORD_BYTES),
            Payload::DataSection(section) => self.add(section.count(), 1),
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    let items = match element.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    self.add(1_u64, RECORD_BYTES);
                    if matches!(element.kind, ElementKind::Passive) {
                        self.add(items, ELEMENT_BYTES);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count_in_component(&mut self, payload: Payload<'_>, outer: &[Open]) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.add(1_u64, known(&self.modules, module_index));
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                        self.add(1_u64, known(&self.components, component_index));
                    }
                }
            }
            Payload::ComponentCanonicalSection(section) => self.add(section.count(), RECORD_BYTES),
            Payload::ComponentImportSection(section) => {
                for import in section {
                    match import?.ty {
                        ComponentTypeRef::Module(_) => self.modules.push(UNKNOWN),
                        ComponentTypeRef::Component(_) => self.components.push(UNKNOWN),
                        _ => {}
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                // An export gets another index.
                for export in section {
                    let export = export?;
                    match export.kind {
                        ComponentExternalKind::Module => {
                            self.modules.push(known(&self.modules, export.index))
                        }
                        ComponentExternalKind::Component => {
                            self.components.push(known(&self.components, export.index));
                        }
                        _ => {}
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias?, outer);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>, outer: &[Open]) {
        match *alias {
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => {
                self.modules.push(UNKNOWN);
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                self.components.push(UNKNOWN);
            }
            ComponentAlias::Outer { kind, count, index } => {
                // 0 is the component itself, 1 the one around it.
                let levels = usize::try_from(count).unwrap_or(usize::MAX);
                let there = match levels.checked_sub(1) {
                    None => Some(&*self),
                    Some(up) => outer.iter().rev().nth(up),
                };
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let bytes = there.map_or(UNKNOWN, |open| known(&open.modules, index));
                        self.modules.push(bytes);
                    }
                    ComponentOuterAliasKind::Component => {
                        let bytes = there.map_or(UNKNOWN, |open| known(&open.components, index));
                        self.components.push(bytes);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn known(of: &[u64], index: u32) -> u64 {
    usize::try_from(index).ok().and_then(|index| of.get(index)).copied().unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> u64 {
        state_bytes(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn instances_are_counted_as_often_as_they_are_made() {
        let module = "(core module $m (global i64 (i64.const 1)) (global i64 (i64.const 1)))";
        let one = INSTANCE_BYTES + 2 * GLOBAL_BYTES;
        assert_eq!(of(&format!("(component {module})")), 0);
        let twice = "(core instance (instantiate $m))".repeat(2);
        assert_eq!(of(&format!("(component {module} {twice})")), 2 * one);
        // Also through components in components, and through what the outer ones have.
        let nested = format!(
            "(component $c {module} {twice}) (instance (instantiate $c)) (instance (instantiate $c))"
        );
        assert_eq!(of(&format!("(component {nested})")), 4 * one);
        let outer = "(component $c (core instance (instantiate $m))) (instance (instantiate $c))";
        assert_eq!(of(&format!("(component {module} {outer})")), one);
        let deeper = "(component $d (component $c (core instance (instantiate $m))) (instance (instantiate $c))) (instance (instantiate $d))";
        assert_eq!(of(&format!("(component {module} {deeper})")), one);
    }

    #[test]
    fn every_part_of_a_module_counts() {
        let empty = of("(component (core module $m) (core instance (instantiate $m)))");
        for part in [
            "(func)",
            "(global i32 (i32.const 0))",
            "(memory 0)",
            "(table 0 funcref)",
            "(data \"\")",
            "(elem func)",
            "(import \"a\" \"b\" (func))",
        ] {
            // An import cannot be satisfied here, but the text is not validated.
            let with = of(&format!("(component (core module $m {part}) (core instance (instantiate $m)))"));
            assert!(with > empty, "{part}");
        }
        let elements = |kind| format!("(func $f) (elem {kind} {})", "$f ".repeat(1_000));
        let with =
            |part: &str| of(&format!("(component (core module $m {part}) (core instance (instantiate $m)))"));
        assert_eq!(with(&elements("func")) - with(&elements("declare func")), 1_000 * ELEMENT_BYTES);
    }

    #[test]
    fn what_is_not_known_is_too_much() {
        for text in [
            "(component (import \"m\" (core module $m)) (core instance (instantiate $m)))",
            "(component (import \"c\" (component $c)) (instance (instantiate $c)))",
            "(component (import \"i\" (instance $i (export \"m\" (core module)))) (alias export $i \"m\" (core module $m)) (core instance (instantiate $m)))",
        ] {
            assert_eq!(of(text), UNKNOWN, "{text}");
        }
        // Every level doubles it.
        let mut text =
            "(core module $m) (core instance (instantiate $m)) (core instance (instantiate $m))".to_owned();
        for _ in 0..70 {
            text = format!("(component $c {text}) (instance (instantiate $c)) (instance (instantiate $c))");
        }
        assert_eq!(of(&format!("(component {text})")), UNKNOWN);
    }
}
