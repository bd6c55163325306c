//! Puts mutants into a file together, each behind a switch: the file does what it did, unless one of them is turned on.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use proc_macro2::Span;
use quote::{ToTokens as _, quote};
use syn::{
    BinOp, Block, Expr, ExprBinary, ExprMatch, ExprStruct, ExprUnary, Pat, Signature, parse_quote,
    spanned::Spanned as _,
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
};

use crate::listed::{Genre, Mutant, Position};

/// The module that tells which one is on; see `switched.rs`.
const SWITCHED: &str = include_str!("switched.rs");

/// A file with mutants.
pub(crate) struct Switched {
    pub(crate) text: String,
    /// The numbers of those that are in it: not each can be put beside what was there.
    pub(crate) numbers: BTreeSet<usize>,
    /// Of those that cannot compile by themselves either.
    pub(crate) unviable: BTreeSet<usize>,
}

/// Puts these into the file, each by its number. What is fixed when it is compiled, such as a constant, has no switch. A function that may
/// be called there has some, and may not any more, unless it has one of the names of `called`.
///
/// # Errors
/// When the file is not Rust.
pub(crate) fn put<'a>(
    source: &str,
    mutants: impl IntoIterator<Item = (usize, &'a Mutant)>,
    called: &BTreeSet<String>,
) -> Result<Switched> {
    let mut file = syn::parse_file(source).context("the file cannot be read as Rust")?;
    let mut switcher = Switcher { called: called.clone(), ..Switcher::default() };
    for (number, mutant) in mutants {
        let place = (mutant.genre, mutant.span.start);
        switcher.wanted.entry(place).or_default().push((number, mutant.replacement.clone()));
    }
    switcher.visit_file_mut(&mut file);
    Ok(Switched { text: file.into_token_stream().to_string(), numbers: switcher.put, unviable: switcher.unviable })
}

/// The crate's first file with the module that the switches ask, which knows so many mutants.
pub(crate) fn with_switches(text: &str, count: usize) -> String {
    format!("#![allow(warnings)]\n{text}\nmod switched {{ const COUNT: usize = {count}; {SWITCHED} }}\n")
}

/// The mutants that have to do with an error at a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// It is what this one puts there.
    Within(usize),
    /// It is around what these put there.
    Around(BTreeSet<usize>),
}

/// What is put in at this byte of a file, or closely around it; none where nothing is.
pub(crate) fn at(text: &str, byte: usize) -> Option<At> {
    let mut finder = Finder { byte, closest: None };
    finder.visit_file(&syn::parse_file(text).ok()?);
    finder.closest.map(|(_, at)| at)
}

/// What is put in at an arm of a `match`: the mutants without it, and those of its guard, each with what stands there then.
type OfArm = (Vec<usize>, Vec<(usize, Expr)>);

#[derive(Default)]
struct Switcher {
    wanted: BTreeMap<(Genre, Position), Vec<(usize, String)>>,
    put: BTreeSet<usize>,
    unviable: BTreeSet<usize>,
    /// Functions that are called where things are fixed when they are compiled.
    called: BTreeSet<String>,
    /// Within how many things that are fixed when they are compiled.
    fixed: usize,
}

impl Switcher {
    /// The mutants of this genre that begin here.
    fn take<T: syn::parse::Parse>(&mut self, genre: Genre, span: Span) -> Vec<(usize, T)> {
        let start = span.start();
        let position = Position { line: start.line, column: start.column + 1 };
        if self.fixed > 0 {
            return Vec::new();
        }
        let found = self.wanted.remove(&(genre, position)).unwrap_or_default();
        let taken: Vec<_> =
            found.into_iter().filter_map(|(number, text)| Some((number, syn::parse_str(&text).ok()?))).collect();
        self.put.extend(taken.iter().map(|(number, _)| *number));
        taken
    }

    /// The numbers of those that take something away.
    fn take_away(&mut self, genre: Genre, span: Span) -> Vec<usize> {
        self.take::<Nothing>(genre, span).into_iter().map(|(number, _)| number).collect()
    }

    fn fixed(&mut self, within: impl FnOnce(&mut Self)) {
        self.fixed += 1;
        within(self);
        self.fixed -= 1;
    }

    fn function(&mut self, signature: &mut Signature, block: &mut Block) {
        if signature.constness.is_some() && self.called.contains(&signature.ident.to_string()) {
            return;
        }
        signature.constness = None;
        // What has no name is of one type: that of what was there.
        let named = !signature.output.to_token_stream().into_iter().any(|token| token.to_string() == "impl");
        let values: Vec<(usize, Expr)> = block
            .stmts
            .first()
            .filter(|_| named)
            .map(|first| first.span())
            .map_or_else(Vec::new, |span| self.take(Genre::FnValue, span));
        visit_mut::visit_block_mut(self, block);
        for (number, value) in values {
            let on = on(number);
            block.stmts.insert(0, parse_quote! { if #on { return #value; } });
        }
    }
}

/// What is put in the place of something that is only taken away.
struct Nothing;

impl syn::parse::Parse for Nothing {
    fn parse(_: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self)
    }
}

/// Whether the mutant is on.
fn on(number: usize) -> Expr {
    parse_quote! { crate::switched::on(#number) }
}

/// This one of the variants whose mutant is on, or what was there.
fn chosen(variants: impl IntoIterator<Item = (usize, Expr)>, otherwise: Expr) -> Expr {
    let mut all: Expr = parse_quote! { { #otherwise } };
    for (number, variant) in variants {
        let on = on(number);
        all = parse_quote! { if #on { #variant } else #all };
    }
    all
}

/// In brackets: at the beginning of a statement it would be one by itself.
fn bracketed(expression: Expr) -> Expr {
    parse_quote! { (#expression) }
}

/// What is read once, whichever operator is put between.
fn binary(ExprBinary { left, op, right, .. }: ExprBinary, others: Vec<(usize, BinOp)>) -> Expr {
    let variant = |make: &dyn Fn(BinOp) -> Expr| {
        let variants: Vec<(usize, Expr)> = others.iter().map(|(number, op)| (*number, make(*op))).collect();
        chosen(variants, make(op))
    };
    match op {
        // The right side may not be looked at.
        BinOp::And(_) | BinOp::Or(_) => {
            let all = variant(&|op| parse_quote! { __left #op (#right) });
            parse_quote! { match (#left) { __left => #all } }
        }
        BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => {
            let all = variant(&|op| parse_quote! { *__left #op *__right });
            parse_quote! { match (&(#left), &(#right)) { (__left, __right) => #all } }
        }
        BinOp::Add(_)
        | BinOp::Sub(_)
        | BinOp::Mul(_)
        | BinOp::Div(_)
        | BinOp::Rem(_)
        | BinOp::BitXor(_)
        | BinOp::BitAnd(_)
        | BinOp::BitOr(_)
        | BinOp::Shl(_)
        | BinOp::Shr(_) => {
            let all = variant(&|op| parse_quote! { __left #op __right });
            parse_quote! { match (#left, #right) { (__left, __right) => #all } }
        }
        _ => variant(&|op| parse_quote! { #left #op #right }),
    }
}

/// Whether it binds names by patterns: such a condition can be nothing but a condition.
fn binds(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(ExprBinary { left, op: BinOp::And(_), right, .. }) => binds(left) || binds(right),
        _ => false,
    }
}

impl VisitMut for Switcher {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        match expression {
            Expr::Binary(binary) if !binds(&Expr::Binary(binary.clone())) => {
                let others = self.take::<BinOp>(Genre::BinaryOperator, binary.op.span());
                visit_mut::visit_expr_mut(self, expression);
                if let Expr::Binary(whole) = expression
                    && !others.is_empty()
                {
                    *expression = bracketed(self::binary(whole.clone(), others));
                }
            }
            // Beside patterns there is only "and".
            Expr::Binary(binary) => {
                let others = self.take::<BinOp>(Genre::BinaryOperator, binary.op.span());
                for (number, _) in others {
                    self.put.remove(&number);
                    self.unviable.insert(number);
                }
                visit_mut::visit_expr_mut(self, expression);
            }
            Expr::Unary(unary) => {
                let without = self.take_away(Genre::UnaryOperator, unary.op.span());
                visit_mut::visit_expr_mut(self, expression);
                if let Expr::Unary(ExprUnary { op, expr, .. }) = expression
                    && !without.is_empty()
                {
                    let variants = without.into_iter().map(|number| (number, parse_quote! { __value }));
                    let all = chosen(variants, parse_quote! { #op __value });
                    *expression = parse_quote! { (match (#expr) { __value => #all }) };
                }
            }
            _ => visit_mut::visit_expr_mut(self, expression),
        }
    }

    fn visit_expr_match_mut(&mut self, whole: &mut ExprMatch) {
        let changes: Vec<OfArm> = whole
            .arms
            .iter()
            .map(|arm| {
                let guard = arm.guard.as_ref().map(|(_, guard)| guard).filter(|guard| !binds(guard));
                let guard = guard.map(|guard| self.take(Genre::MatchArmGuard, guard.span()));
                (self.take_away(Genre::MatchArm, arm.span()), guard.unwrap_or_default())
            })
            .collect();
        visit_mut::visit_expr_match_mut(self, whole);
        for (arm, (without, guards)) in whole.arms.iter_mut().zip(changes) {
            if let Some((_, guard)) = &mut arm.guard
                && !guards.is_empty()
            {
                **guard = chosen(guards, (**guard).clone());
            }
            for number in without {
                let never = chosen([(number, parse_quote! { false })], parse_quote! { true });
                arm.guard = Some((parse_quote! { if }, Box::new(never)));
            }
        }
    }

    fn visit_expr_struct_mut(&mut self, whole: &mut ExprStruct) {
        let changes: Vec<Vec<usize>> = match &whole.rest {
            Some(_) => whole.fields.iter().map(|field| self.take_away(Genre::StructField, field.span())).collect(),
            None => Vec::new(),
        };
        visit_mut::visit_expr_struct_mut(self, whole);
        let (path, rest) = (whole.path.clone(), whole.rest.clone());
        // What has a place is needed again by the whole.
        let is_placed = matches!(rest.as_deref(), Some(Expr::Path(_) | Expr::Field(_)));
        let rest: Option<Expr> = rest.map(|rest| {
            if is_placed {
                parse_quote! { Clone::clone(&#rest) }
            } else {
                *rest
            }
        });
        for (field, numbers) in whole.fields.iter_mut().zip(changes) {
            let member = field.member.clone();
            let other: Expr = parse_quote! { { let __whole: #path = #rest; __whole.#member } };
            if !numbers.is_empty() {
                let variants = numbers.into_iter().map(|number| (number, other.clone()));
                field.expr = chosen(variants, field.expr.clone());
                field.colon_token = Some(Default::default());
            }
        }
    }

    fn visit_item_fn_mut(&mut self, function: &mut syn::ItemFn) {
        self.function(&mut function.sig, &mut function.block);
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut syn::ImplItemFn) {
        self.function(&mut function.sig, &mut function.block);
    }

    fn visit_trait_item_fn_mut(&mut self, function: &mut syn::TraitItemFn) {
        if let Some(block) = &mut function.default {
            self.function(&mut function.sig, block);
        }
    }

    fn visit_item_const_mut(&mut self, item: &mut syn::ItemConst) {
        self.fixed(|within| visit_mut::visit_item_const_mut(within, item));
    }

    fn visit_impl_item_const_mut(&mut self, item: &mut syn::ImplItemConst) {
        self.fixed(|within| visit_mut::visit_impl_item_const_mut(within, item));
    }

    fn visit_trait_item_const_mut(&mut self, item: &mut syn::TraitItemConst) {
        self.fixed(|within| visit_mut::visit_trait_item_const_mut(within, item));
    }

    fn visit_item_static_mut(&mut self, item: &mut syn::ItemStatic) {
        self.fixed(|within| visit_mut::visit_item_static_mut(within, item));
    }

    fn visit_expr_const_mut(&mut self, block: &mut syn::ExprConst) {
        self.fixed(|within| visit_mut::visit_expr_const_mut(within, block));
    }

    fn visit_variant_mut(&mut self, variant: &mut syn::Variant) {
        self.fixed(|within| visit_mut::visit_variant_mut(within, variant));
    }

    fn visit_type_mut(&mut self, one: &mut syn::Type) {
        self.fixed(|within| visit_mut::visit_type_mut(within, one));
    }

    fn visit_expr_repeat_mut(&mut self, repeat: &mut syn::ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }

    fn visit_pat_mut(&mut self, _: &mut Pat) {}
}

/// Finds the smallest thing around a byte that has switches.
struct Finder {
    byte: usize,
    /// Its length in bytes, and its switches.
    closest: Option<(usize, At)>,
}

impl Finder {
    fn found(&mut self, span: Span, at: At) {
        let range = span.byte_range();
        let closer = self.closest.as_ref().is_none_or(|(length, _)| range.len() < *length);
        if closer && range.contains(&self.byte) {
            self.closest = Some((range.len(), at));
        }
    }
}

/// The number of the switch that a branch hangs on.
fn switch(branch: &syn::ExprIf) -> Option<usize> {
    let Expr::Call(call) = &*branch.cond else { return None };
    let asked = call.func.to_token_stream().to_string() == quote! { crate::switched::on }.to_string();
    match call.args.first().filter(|_| asked)? {
        Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}

/// The numbers of the switches that choose between these branches.
fn switches(mut expression: &Expr) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    while let Expr::If(branch) = expression
        && let Some(number) = switch(branch)
    {
        numbers.insert(number);
        let Some((_, otherwise)) = &branch.else_branch else { break };
        expression = otherwise;
    }
    numbers
}

impl<'a> Visit<'a> for Finder {
    fn visit_expr(&mut self, expression: &'a Expr) {
        let numbers = match expression {
            Expr::If(_) => switches(expression),
            // Those of an operator are in the only arm; or the arms have some, and with conditions there may be too few.
            Expr::Match(ExprMatch { arms, .. }) => {
                let guards = arms.iter().filter_map(|arm| arm.guard.as_ref()).flat_map(|(_, guard)| switches(guard));
                arms.first().map(|arm| switches(&arm.body)).into_iter().flatten().chain(guards).collect()
            }
            _ => BTreeSet::new(),
        };
        if !numbers.is_empty() {
            self.found(expression.span(), At::Around(numbers));
        }
        if let Expr::If(branch) = expression
            && let Some(number) = switch(branch)
        {
            self.found(branch.then_branch.span(), At::Within(number));
        }
        visit::visit_expr(self, expression);
    }
}

#[cfg(test)]
mod tests;
