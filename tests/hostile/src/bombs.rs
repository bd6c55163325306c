//! Compile bombs: components that are small, or of a size that is allowed, and cost a compiler much time or memory.

use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentExportKind, ComponentImportSection, ComponentInstanceSection,
    ComponentSection as _, ComponentSectionId, ComponentTypeRef, ComponentTypeSection, ComponentValType, ConstExpr,
    CustomSection, ElementSection, Elements, Function, FunctionSection, InstanceType, Instruction, Module,
    ModuleSection, NestedComponentSection, PrimitiveValType, RawSection, RefType, TableSection, TableType, TypeSection,
    ValType,
};

use wasmparser::{Parser, Payload};

/// A component with further core modules that nothing instantiates: they are compiled all the same.
pub fn carrying(component: &[u8], modules: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = component.to_vec();
    for module in modules {
        RawSection { id: ComponentSectionId::CoreModule as u8, data: module }.append_to_component(&mut bytes);
    }
    bytes
}

/// A component with a section of so many bytes that means nothing.
pub fn padded(component: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = component.to_vec();
    CustomSection { name: "padding".into(), data: vec![0; length].into() }.append_to_component(&mut bytes);
    bytes
}

/// A module of so many functions `() -> ()` with this body.
fn functions(count: u32, body: &Function) -> Vec<u8> {
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for _ in 0..count {
        functions.function(0);
        code.function(body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

/// One function of so many steps, each of which needs the one before.
pub fn huge_function(steps: u32) -> Vec<u8> {
    let mut body = Function::new([(1, ValType::I64)]);
    for step in 0..steps {
        body.instruction(&Instruction::LocalGet(0));
        body.instruction(&Instruction::I64Const(i64::from(step)));
        body.instruction(&if step % 2 == 0 { Instruction::I64Add } else { Instruction::I64Mul });
        body.instruction(&Instruction::LocalSet(0));
    }
    body.instruction(&Instruction::End);
    functions(1, &body)
}

/// So many small functions.
pub fn many_functions(count: u32) -> Vec<u8> {
    let mut body = Function::new([]);
    body.instruction(&Instruction::End);
    functions(count, &body)
}

/// One function of blocks in blocks.
pub fn deep_nesting(depth: u32) -> Vec<u8> {
    let mut body = Function::new([]);
    for _ in 0..depth {
        body.instruction(&Instruction::Block(BlockType::Empty));
        body.instruction(&Instruction::I32Const(0));
        body.instruction(&Instruction::BrIf(0));
    }
    for _ in 0..=depth {
        body.instruction(&Instruction::End);
    }
    functions(1, &body)
}

/// Loops in loops, in the innermost of which all locals are used and set: each loop's start joins each local.
pub fn many_joins(loops: u32, locals: u32) -> Vec<u8> {
    let mut body = Function::new([(locals, ValType::I32)]);
    for _ in 0..loops {
        body.instruction(&Instruction::Loop(BlockType::Empty));
    }
    for local in 0..locals {
        body.instruction(&Instruction::LocalGet(local));
        body.instruction(&Instruction::I32Const(1));
        body.instruction(&Instruction::I32Add);
        body.instruction(&Instruction::LocalSet((local + 1) % locals));
    }
    for _ in 0..loops {
        body.instruction(&Instruction::LocalGet(0));
        body.instruction(&Instruction::BrIf(0));
        body.instruction(&Instruction::End);
    }
    body.instruction(&Instruction::End);
    functions(1, &body)
}

/// So many types of functions, each of its own shape, of so many parameters.
pub fn many_types(count: u32, parameters: usize) -> Vec<u8> {
    const KINDS: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
    let mut types = TypeSection::new();
    for index in 0..count {
        let mut rest = index;
        let kinds: Vec<ValType> = (0..parameters)
            .map(|_| {
                let kind = KINDS[rest as usize % KINDS.len()];
                rest /= 4;
                kind
            })
            .collect();
        types.ty().function(kinds, []);
    }
    let mut module = Module::new();
    module.section(&types);
    module.finish()
}

/// A table that is filled with so many references to one function.
pub fn many_elements(count: u32) -> Vec<u8> {
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    functions.function(0);
    let mut body = Function::new([]);
    body.instruction(&Instruction::End);
    code.function(&body);
    let mut tables = TableSection::new();
    let (element_type, minimum) = (RefType::FUNCREF, u64::from(count));
    tables.table(TableType { element_type, minimum, maximum: None, table64: false, shared: false });
    let mut elements = ElementSection::new();
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(vec![0; count as usize].into()));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&elements).section(&code);
    module.finish()
}

/// A component of so many empty modules.
pub fn many_modules(component: &[u8], count: usize) -> Vec<u8> {
    carrying(component, &vec![Module::new().finish(); count])
}

/// A component that imports so many interfaces, none of which there is.
pub fn many_imports(count: u32) -> Vec<u8> {
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    let mut imports = ComponentImportSection::new();
    for index in 0..count {
        imports.import(format!("evil:host/door-a{index}").as_str(), ComponentTypeRef::Instance(0));
    }
    let mut component = Component::new();
    component.section(&types).section(&imports);
    component.finish()
}

/// Components in components, so many deep.
pub fn nested_components(component: &[u8], depth: u32) -> Vec<u8> {
    let mut nested = Component::new();
    for _ in 0..depth {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&nested));
        nested = outer;
    }
    let mut bytes = component.to_vec();
    NestedComponentSection(&nested).append_to_component(&mut bytes);
    bytes
}

/// A component that makes two instances of one that makes two instances, and so on: two to the power of so many.
pub fn doubling_instances(component: &[u8], powers: u32) -> Vec<u8> {
    let mut nested = Component::new();
    // The innermost has something, so that it is not nothing that is doubled.
    nested.section(&ModuleSection(&Module::new()));
    for _ in 0..powers {
        let mut outer = Component::new();
        outer.section(&NestedComponentSection(&nested));
        outer.section(&two_instances(0));
        nested = outer;
    }
    let index = nested_components_of(component);
    let mut bytes = component.to_vec();
    NestedComponentSection(&nested).append_to_component(&mut bytes);
    two_instances(index).append_to_component(&mut bytes);
    bytes
}

/// How many components lie directly in this one.
fn nested_components_of(component: &[u8]) -> u32 {
    let (mut count, mut depth) = (0, 0_u32);
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("the component is well-formed") {
            Payload::ModuleSection { .. } => depth += 1,
            Payload::ComponentSection { .. } => {
                count += u32::from(depth == 0);
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    count
}

fn two_instances(component: u32) -> ComponentInstanceSection {
    let mut instances = ComponentInstanceSection::new();
    for _ in 0..2 {
        instances.instantiate(component, std::iter::empty::<(&str, ComponentExportKind, u32)>());
    }
    instances
}

/// A component with a type of pairs of pairs, so many deep: two to the power of it.
pub fn doubling_type(component: &[u8], powers: u32) -> Vec<u8> {
    let mut types = ComponentTypeSection::new();
    types.defined_type().tuple([ComponentValType::Primitive(PrimitiveValType::U32)]);
    for index in 0..powers {
        types.defined_type().tuple([ComponentValType::Type(index); 2]);
    }
    let mut nested = Component::new();
    nested.section(&types);
    let mut bytes = component.to_vec();
    NestedComponentSection(&nested).append_to_component(&mut bytes);
    bytes
}
