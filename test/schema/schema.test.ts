import { readFile } from 'node:fs/promises';
import {
  type GraphQLField,
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  isUnionType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../src/errors.ts';
import { schema } from '../../src/schema/index.ts';

const types = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !(isScalarType(type) && isSpecifiedScalarType(type)),
);

function fieldsOf(type: GraphQLNamedType) {
  return isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];
}

/** Every named part of a type: itself, its fields, their arguments, its values. */
function partsOf(type: GraphQLNamedType): [string, string | null | undefined][] {
  const parts: [string, string | null | undefined][] = [[type.name, type.description]];
  for (const field of fieldsOf(type)) {
    parts.push([`${type.name}.${field.name}`, field.description]);
    for (const arg of field.args) {
      parts.push([`${type.name}.${field.name}(${arg.name})`, arg.description]);
    }
  }
  if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields())) {
      parts.push([`${type.name}.${field.name}`, field.description]);
    }
  }
  if (isEnumType(type)) {
    for (const value of type.getValues()) parts.push([`${type.name}.${value.name}`, value.description]);
  }
  return parts;
}

const mutations: GraphQLField<unknown, unknown>[] = Object.values(
  schema.getMutationType()?.getFields() ?? {},
);

describe('the schema', () => {
  test('describes every type, field, argument and enum value', () => {
    const silent = types
      .flatMap(partsOf)
      .filter(([, description]) => !description?.trim())
      .map(([name]) => name);
    expect(silent).toEqual([]);
  });

  test('stands in schema.graphql as the code has it', async () => {
    const committed = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
    const printed = `${printSchema(lexicographicSortSchema(schema))}\n`;
    expect(committed === printed, 'schema.graphql is stale: npm run print-schema').toBe(true);
  });

  test('has every error code, and no other', () => {
    const codes = schema.getType('ErrorCode');
    expect(isEnumType(codes) && codes.getValues().map(({ name }) => name)).toEqual(
      Object.keys(ERROR_CODES).sort(),
    );
  });

  test.each(mutations.map((field) => [field.name, field] as const))(
    '%s takes one input and answers a payload or refusals',
    (name, field) => {
      const Name = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
      expect(field.args.map((arg) => [arg.name, String(arg.type)])).toEqual([['input', `${Name}Input!`]]);
      expect(String(field.type)).toBe(`${Name}Result!`);
      const result = isNonNullType(field.type) ? field.type.ofType : undefined;
      const members = isUnionType(result) ? result.getTypes() : [];
      const [payload, ...others] = members.filter(
        (type) => !type.getInterfaces().some((face) => face.name === 'UserError'),
      );
      expect([payload?.name, others]).toEqual([`${Name}Payload`, []]);
      expect(members.map((type) => type.name)).toEqual(
        expect.arrayContaining(['InvalidInputError', 'ForbiddenError']),
      );
      expect(field.description).toMatch(/Needs (OPERATOR|ADMIN|OWNER)\.$/);
    },
  );

  test('names no object of its own by an id field', () => {
    const idFields = types
      .filter(isObjectType)
      .flatMap((type) => fieldsOf(type).map((field) => `${type.name}.${field.name}`))
      .filter((name) => /[a-z]Ids?$/.test(name) && !name.includes('Payload.deleted'));
    expect(idFields).toEqual([]);
  });
});
